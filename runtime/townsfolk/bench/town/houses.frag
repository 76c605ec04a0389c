// What is seen of the town, for the lighting: where, which way it faces, its colour.
in vec3 place;
in vec3 outward;
flat in uint house;
layout(location = 0) out vec4 seen;
layout(location = 1) out vec4 facing;
layout(location = 2) out vec4 colour;

void main() {
    seen = vec4(place, 1.0);
    facing = vec4(outward, 0.0);
    vec3 plaster = mix(vec3(0.85, 0.72, 0.55), vec3(0.65, 0.40, 0.30), unit(house * 7u + 1u));
    colour = vec4(house == 0u ? vec3(0.45, 0.47, 0.40) : plaster, 1.0);
}
