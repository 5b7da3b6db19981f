/* Rounding to a grid: see spikequant.rounding. */
#ifndef STDP_GRID_H
#define STDP_GRID_H
#include "job.h"
#include "lanes.h"

INLINE uint64_t stream_of(uint64_t key, int64_t draw) { return mix(key + GOLDEN * ((uint64_t)draw + 1)); }

INLINE double held(const Grid *grid, double code) {
    const double modulus = grid->high - grid->low + 1.0;
    if (!grid->wrap) return code < grid->low ? grid->low : code > grid->high ? grid->high : code;
    code = code - floor(code / modulus) * modulus;
    return code > grid->high ? code - modulus : code;
}

/* The code of one value; element e of a stream. */
INLINE double code_of(const Grid *grid, double x, uint64_t stream, uint64_t e) {
    double ratio = x * grid->scale, code = floor(ratio);
    if (grid->rounding == NEAREST) {
        code += ratio - code >= 0.5;
    } else if (grid->rounding == DRAWN) {
        double chance = uniform(stream, e);
        code += code == -1.0 ? chance - 1.0 < ratio : chance < ratio - code;
    }
    return held(grid, code);
}

/* Overflow, of lanes. */
INLINE D d_held(const Grid *grid, D code) {
    const D low = d_set(grid->low), high = d_set(grid->high);
    if (!grid->wrap) return d_min(d_max(code, low), high);
    const double modulus = grid->high - grid->low + 1.0;
    code = d_sub(code, d_mul(d_floor(d_mul(code, d_set(1.0 / modulus))), d_set(modulus)));
    return d_pick(high, code, code, d_sub(code, d_set(modulus)));
}

/* floor(ratio) + [chance < the rest], chance in units of 2**-53; as code_of. */
INLINE D d_drawn(D ratio, D chance) {
    const D one = d_set(1.0), none = d_set(0.0);
    D below = d_floor(ratio);
    D part = d_mul(chance, d_set(0x1p-53));
    D up = d_pick(part, d_sub(ratio, below), none, one);
    D up_to_zero = d_pick(d_sub(part, one), ratio, none, one);
    D is_minus_one = d_mul(d_pick(below, d_set(-1.0), one, none), d_pick(d_set(-1.0), below, one, none));
    return d_add(below, d_pick(is_minus_one, one, up_to_zero, up));
}

/* floor(ratio + 1/2), right also where the sum is no double */
INLINE D d_nearest(D ratio) {
    D below = d_floor(ratio);
    return d_add(below, d_pick(d_sub(ratio, below), d_set(0.5), d_set(1.0), d_set(0.0)));
}

/* Code, without wrapping, of weights that are at least 0: quant is NEAREST for TR too. */
INLINE F f_code(const Grid *grid, F w, const int quant, uint64_t stream, uint64_t e) {
    F ratio = f_mul(w, f_set((float)grid->scale)), code;
    if (quant == DRAWN) {
        code = f_floor(ratio);
        code = f_drawn(code, f_sub(ratio, code), draw_from(stream, e), 0);
    } else {
        code = f_round(ratio, f_set(grid->rounding == NEAREST ? 0.5f : 0.0f));
    }
    return f_min(code, f_set((float)grid->high));
}
#endif
