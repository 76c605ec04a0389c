// TextMeshPro: a package of its own until Unity 2023.1, and part of com.unity.ugui 2.0 since.
namespace UnityEngine.EventSystems
{
    public abstract class UIBehaviour : MonoBehaviour
    {
    }
}

namespace UnityEngine.UI
{
    public abstract class Graphic : EventSystems.UIBehaviour
    {
    }

    public abstract class MaskableGraphic : Graphic
    {
    }
}

namespace TMPro
{
    public abstract class TMP_Text : UnityEngine.UI.MaskableGraphic
    {
        public virtual string text { get; set; } = string.Empty;

        public bool richText { get; set; } = true;

        public int maxVisibleCharacters { get; set; } = 99999;
    }

    public class TextMeshProUGUI : TMP_Text
    {
    }
}
