// The picture: colours by the light that reaches them, or the sky.
layout(local_size_x = 8, local_size_y = 8) in;
layout(rgba32f, binding = 0) uniform image2D light;
layout(rgba8, binding = 1) uniform image2D picture;
uniform sampler2D seen;
uniform sampler2D colour;

void main() {
    ivec2 pixel = ivec2(gl_GlobalInvocationID.xy), size = imageSize(light);
    if (any(greaterThanEqual(pixel, size))) return;
    vec4 found = imageLoad(light, pixel);
    vec3 sky = mix(vec3(0.75, 0.83, 0.92), vec3(0.35, 0.55, 0.85), float(pixel.y) / size.y);
    vec3 lit = texelFetch(colour, pixel, 0).rgb * found.r / max(found.a, 1.0);
    bool is_town = texelFetch(seen, pixel, 0).w > 0.5;
    imageStore(picture, pixel, vec4(pow(is_town ? lit : sky, vec3(0.8)), 1.0));
}
