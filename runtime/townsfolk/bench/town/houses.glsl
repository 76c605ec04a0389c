// The town: a house on most cells of a grid, as tall as a hash of its cell says.
const int SIDE = 48;      // cells along an edge
const float WALL = 0.38;  // half a house's width, in cells

uint hash(uint x) {
    x ^= x >> 16; x *= 0x7feb352du;
    x ^= x >> 15; x *= 0x846ca68bu;
    return x ^ (x >> 16);
}

float unit(uint x) { return float(hash(x) >> 8) / 16777216.0; }

// 0 where no house stands: streets' crossings and squares.
float height(ivec2 cell) {
    if (any(lessThan(cell, ivec2(0))) || any(greaterThanEqual(cell, ivec2(SIDE)))) return 0.0;
    float chance = unit(uint(cell.x * SIDE + cell.y));
    return chance < 0.2 ? 0.0 : 0.3 + 1.7 * chance * chance;
}
