using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Xml.Linq;
using UnityEngine;
using UnityEngine.UIElements;

namespace UnityStubs
{
    /// <summary>Plays the part of UI Toolkit's importer, and of the player at the screen.</summary>
    public static class Screen
    {
        /// <summary>Puts the elements of a .uxml file into a document.</summary>
        public static void Load(UIDocument document, string uxml)
        {
            foreach (var element in XDocument.Load(uxml).Root!.Elements())
            {
                Add(document.rootVisualElement, element);
            }
        }

        public static void Click(VisualElement root, string button) => root.Q<Button>(button).Click();

        public static void Press(VisualElement element, KeyCode key) =>
            element.Send(new KeyDownEvent { keyCode = key });

        /// <summary>How far an element lies from the left.</summary>
        public static float Left(VisualElement element) => element.style.left.Pixels;

        /// <summary>The texts of the buttons below an element.</summary>
        public static string[] Buttons(VisualElement element) =>
            All<Button>(element).Select(button => button.text).ToArray();

        /// <summary>Clicks the button with a text below an element.</summary>
        public static void ClickText(VisualElement element, string text) =>
            All<Button>(element).Single(button => button.text == text).Click();

        /// <summary>The elements of a type below an element.</summary>
        public static IEnumerable<T> All<T>(VisualElement element)
            where T : VisualElement =>
            element.Children.SelectMany(child => All<T>(child).Concat(child is T found ? new[] { found } : Array.Empty<T>()));

        private static void Add(VisualElement parent, XElement description)
        {
            VisualElement element;
            switch (description.Name.LocalName)
            {
                case "Style":
                    return;
                case "VisualElement":
                    element = new VisualElement();
                    break;
                case "ScrollView":
                    element = new ScrollView();
                    break;
                case "Label":
                    element = new Label();
                    break;
                case "Button":
                    element = new Button();
                    break;
                case "TextField":
                    element = new TextField();
                    break;
                default:
                    throw new InvalidDataException("no stub of " + description.Name.LocalName);
            }

            element.name = (string?)description.Attribute("name") ?? string.Empty;
            if (element is TextElement text)
            {
                text.text = (string?)description.Attribute("text") ?? string.Empty;
            }

            parent.Add(element);
            foreach (var child in description.Elements())
            {
                Add(element, child);
            }
        }
    }
}
