// Rays from what is seen to the sky; those that meet no house bring light. More passes, more rays.
layout(local_size_x = 8, local_size_y = 8) in;
layout(rgba32f, binding = 0) uniform image2D light;
uniform sampler2D seen;
uniform sampler2D facing;
uniform int number;  // of the pass
const int RAYS = 8;
const int STEPS = 24;
const float STRIDE = 0.12;

bool hits(vec3 point) {
    ivec2 cell = ivec2(floor(point.xz));
    vec2 inside = abs(point.xz - vec2(cell) - 0.5);
    return max(inside.x, inside.y) < WALL && point.y < height(cell);
}

void main() {
    ivec2 pixel = ivec2(gl_GlobalInvocationID.xy), size = imageSize(light);
    if (any(greaterThanEqual(pixel, size))) return;
    vec3 from = texelFetch(seen, pixel, 0).xyz;
    vec3 normal = texelFetch(facing, pixel, 0).xyz;
    uint seed = hash(uint(pixel.y * size.x + pixel.x) ^ hash(uint(number) + 1u));
    float found = 0.0;
    for (int ray = 0; ray < RAYS; ++ray) {
        float turn = 6.2831853 * unit(seed + uint(2 * ray));
        float tilt = 2.0 * unit(seed + uint(2 * ray + 1)) - 1.0;
        float flat_part = sqrt(1.0 - tilt * tilt);
        vec3 way = normalize(normal * 1.01 + vec3(flat_part * cos(turn), tilt, flat_part * sin(turn)));
        vec3 point = from + normal * 0.01;
        float lit = way.y > 0.0 ? 1.0 : 0.3;
        for (int step = 0; step < STEPS; ++step) {
            point += way * STRIDE;
            lit = hits(point) ? 0.0 : lit;
        }
        found += lit;
    }
    vec4 before = number == 0 ? vec4(0.0) : imageLoad(light, pixel);
    imageStore(light, pixel, before + vec4(vec3(found / RAYS), 1.0));
}
