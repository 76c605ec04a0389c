// Vertices of boxes: instance 0 is the ground, the others are houses.
uniform mat4 camera;
out vec3 place;
out vec3 outward;
flat out uint house;

const vec3 AXES[3] = vec3[](vec3(1, 0, 0), vec3(0, 1, 0), vec3(0, 0, 1));
const vec2 CORNERS[6] = vec2[](vec2(-1, -1), vec2(1, -1), vec2(1, 1), vec2(-1, -1), vec2(1, 1), vec2(-1, 1));

void main() {
    int face = gl_VertexID / 6;
    vec2 corner = CORNERS[gl_VertexID % 6];
    vec3 up = AXES[face % 3] * (face < 3 ? 1.0 : -1.0);
    vec3 box = up + AXES[(face + 1) % 3] * corner.x + AXES[(face + 2) % 3] * corner.y;
    vec3 middle = vec3(SIDE / 2, -0.05, SIDE / 2), half_size = vec3(SIDE, 0.05, SIDE);
    if (gl_InstanceID > 0) {
        int number = gl_InstanceID - 1;
        ivec2 cell = ivec2(number / SIDE, number % SIDE);
        float tall = height(cell);
        middle = vec3(cell.x + 0.5, tall / 2.0, cell.y + 0.5);
        half_size = vec3(WALL, tall / 2.0, WALL) * sign(tall);
    }
    place = middle + box * half_size;
    outward = up;
    house = uint(gl_InstanceID);
    gl_Position = camera * vec4(place, 1.0);
}
