"""A town that is drawn with OpenGL, without a window: as many rays of light as time is to be taken.

Houses go through the rasteriser, then passes of compute shaders light what is seen, as renderers of
games do it. Each pass traces rays to the sky; a frame is lengthened by passes.
"""

from __future__ import annotations

import ctypes
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from townsfolk.bench.answer import MeasurementError

if TYPE_CHECKING:
    import moderngl

SIZE = (1280, 720)
_SIDE = 48  # of the grid, as in houses.glsl
_GROUP = 8  # pixels along the edge of a compute shader's group
_VERSION = 430  # of OpenGL: compute shaders
_MOST_DEVICES = 16
_DEVICE_UUID = 0x9597  # GL_DEVICE_UUID_EXT of GL_EXT_memory_object


class Town:
    """A town, seen by a camera that goes around it.

    Attributes:
        name: the processor that draws it, and by which version of OpenGL.
    """

    def __init__(self, uuid: str | None = None, size: tuple[int, int] = SIZE) -> None:
        """Make a context without a window, and all that a frame needs.

        Args:
            uuid: of the GPU that is to draw; None for the first device that EGL knows.
            size: of the picture, in pixels.

        Raises:
            MeasurementError: moderngl or EGL is missing, or EGL knows no such GPU.
        """
        self._context = _context(uuid)
        version = self._context.version_code / 100
        self.name = f"a town by OpenGL {version:.1f} and EGL on {_info(self._context)}"
        self._size = size
        self._frames = 0
        make, width, height = self._context, *size
        self._seen, self._facing, self._colour, self._light = (
            make.texture(size, 4, dtype=dtype) for dtype in ("f4", "f2", "f2", "f4")
        )
        self._picture = make.texture(size, 4)
        self._layers = make.framebuffer(
            [self._seen, self._facing, self._colour], make.depth_renderbuffer(size)
        )
        self._houses = make.vertex_array(
            make.program(_shader("houses.vert"), _shader("houses.frag")), []
        )
        self._rays = make.compute_shader(_shader("light.comp"))
        self._show = make.compute_shader(_shader("show.comp"))
        _set(self._rays, seen=0, facing=1)
        _set(self._show, seen=0, colour=2)
        self._groups = (math.ceil(width / _GROUP), math.ceil(height / _GROUP))
        self._timer = make.query(time=True)

    def run(self, times: int) -> float:
        """Draw a frame with so many passes of light; return the GPU's seconds for it."""
        context = self._context
        self._frames += 1
        camera = _camera(self._frames / 300, self._size[0] / self._size[1])
        with self._timer:
            self._layers.use()
            context.enable_only(context.DEPTH_TEST)
            self._layers.clear()
            _set(self._houses.program, camera=camera.T.astype("f4").tobytes())
            self._houses.render(context.TRIANGLES, 36, instances=_SIDE**2 + 1)
            for place, layer in enumerate((self._seen, self._facing, self._colour)):
                layer.use(place)
            self._light.bind_to_image(0)
            self._picture.bind_to_image(1)
            for number in range(times):
                _set(self._rays, number=number)
                self._rays.run(*self._groups)
                context.memory_barrier()
            self._show.run(*self._groups)
        context.finish()
        return float(self._timer.elapsed) / 1e9

    def pixels(self) -> NDArray[np.uint8]:
        """Return the last picture, [height, width, 4], the top row first."""
        width, height = self._size
        read = np.frombuffer(self._picture.read(), np.uint8)
        return read.reshape(height, width, 4)[::-1]


def _context(uuid: str | None) -> moderngl.Context:
    try:
        import moderngl
    except ModuleNotFoundError:
        raise MeasurementError(
            "to draw a town needs OpenGL: pip install 'townsfolk[render]'"
        ) from None
    found: list[str] = []
    for device in range(_MOST_DEVICES):
        try:
            settings: Any = {"backend": "egl", "device_index": device}
            context = moderngl.create_context(require=_VERSION, standalone=True, **settings)
        except Exception as error:  # of several kinds, by library and driver; the last one tells
            if device == 0:
                raise MeasurementError(
                    f"no picture can be drawn: {error}; that needs libEGL and a driver with OpenGL "
                    "4.3 (Debian: libegl1)"
                ) from error
            break
        if uuid is None or _uuid(context) == uuid.replace("-", ""):
            return context
        found.append(_info(context))
        context.release()
    raise MeasurementError(f"EGL knows no GPU {uuid}, only {', '.join(found)}")


def _uuid(context: moderngl.Context) -> str:
    """Return that of the GPU, in hexadecimal digits; empty where the driver does not tell."""
    if "GL_EXT_memory_object" not in context.extensions:
        return ""
    egl = ctypes.CDLL("libEGL.so.1")
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    address = egl.eglGetProcAddress(b"glGetUnsignedBytei_vEXT")
    digits = (ctypes.c_ubyte * 16)()
    ctypes.CFUNCTYPE(None, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p)(address)(
        _DEVICE_UUID, 0, ctypes.addressof(digits)
    )
    return bytes(digits).hex()


def _info(context: moderngl.Context) -> str:
    return str(context.info["GL_RENDERER"])


def _shader(name: str) -> str:
    folder = Path(__file__).parent
    houses, own = ((folder / each).read_text("utf-8") for each in ("houses.glsl", name))
    return f"#version {_VERSION}\n{houses}\n{own}"


def _set(program: Any, **values: Any) -> None:
    for name, value in values.items():
        if isinstance(value, bytes):
            program[name].write(value)
        else:
            program[name] = value


def _camera(angle: float, aspect: float) -> NDArray[np.float64]:
    """Return the projection of a camera that looks at the town's middle, [4, 4]."""
    middle = np.array([_SIDE / 2, 0.0, _SIDE / 2])
    eye = middle + np.array([14 * math.cos(angle), 6.0, 14 * math.sin(angle)])
    forward = (middle - eye) / np.linalg.norm(middle - eye)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    view = np.eye(4)
    view[:3, :3] = right, np.cross(right, forward), -forward
    view[:3, 3] = -view[:3, :3] @ eye
    near, far, zoom = 0.1, 100.0, 1.2
    projection = np.zeros((4, 4))
    projection[0, 0], projection[1, 1] = zoom / aspect, zoom
    projection[2, 2], projection[2, 3] = (far + near) / (near - far), 2 * far * near / (near - far)
    projection[3, 2] = -1
    return projection @ view
