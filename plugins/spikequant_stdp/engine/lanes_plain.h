/* Lanes in the vectors that gcc and clang have for every processor: 4 floats, 2 doubles. See lanes.h. */
#define LANES "plain"
enum { FL = 4, DL = 2, BLOCK = 5 };
typedef float F __attribute__((vector_size(16)));
typedef double D __attribute__((vector_size(16)));
typedef int32_t FM __attribute__((vector_size(16)));
typedef int64_t DM __attribute__((vector_size(16)));

INLINE F f_set(float a) { return (F){a, a, a, a}; }
INLINE F f_load(const float *p) { return *(const F *)p; }
INLINE void f_store(float *p, F a) { *(F *)p = a; }
INLINE F f_add(F a, F b) { return a + b; }
INLINE F f_sub(F a, F b) { return a - b; }
INLINE F f_mul(F a, F b) { return a * b; }
INLINE F f_div(F a, F b) { return a / b; }
INLINE F f_choose(FM where, F yes, F no) { return (F)((where & (FM)yes) | (~where & (FM)no)); }
INLINE F f_min(F a, F b) { return f_choose(a < b, a, b); }
INLINE F f_max(F a, F b) { return f_choose(a > b, a, b); }
INLINE F f_sqrt(F a) { return (F){sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])}; }
INLINE F f_floor(F a) { return (F){floorf(a[0]), floorf(a[1]), floorf(a[2]), floorf(a[3])}; }
INLINE unsigned f_bits(FM m) { return (unsigned)((m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8)); }
INLINE unsigned f_at_least(F a, F b) { return f_bits(a >= b); }
INLINE unsigned f_differ(F a, F b) { return f_bits(a != b); }
INLINE F f_pick(F a, F b, F yes, F no) { return f_choose(a >= b, yes, no); }
INLINE F f_round(F a, F half) {
    F low = f_floor(a);
    return low + f_choose((a - low >= half) & (half > f_set(0.0f)), f_set(1.0f), f_set(0.0f));
}
INLINE F f_look_up(const float *t, F a) { return (F){t[(int)a[0]], t[(int)a[1]], t[(int)a[2]], t[(int)a[3]]}; }

INLINE D d_set(double a) { return (D){a, a}; }
INLINE D d_load(const double *p) { return *(const D *)p; }
INLINE void d_store(double *p, D a) { *(D *)p = a; }
INLINE D d_widen(const float *p) { return (D){p[0], p[1]}; }
INLINE D d_add(D a, D b) { return a + b; }
INLINE D d_sub(D a, D b) { return a - b; }
INLINE D d_mul(D a, D b) { return a * b; }
INLINE D d_choose(DM where, D yes, D no) { return (D)((where & (DM)yes) | (~where & (DM)no)); }
INLINE D d_min(D a, D b) { return d_choose(a < b, a, b); }
INLINE D d_max(D a, D b) { return d_choose(a > b, a, b); }
INLINE D d_floor(D a) { return (D){floor(a[0]), floor(a[1])}; }
INLINE unsigned d_bits(DM m) { return (unsigned)((m[0] & 1) | (m[1] & 2)); }
INLINE unsigned d_at_least(D a, D b) { return d_bits(a >= b); }
INLINE D d_pick(D a, D b, D yes, D no) { return d_choose(a >= b, yes, no); }
INLINE D d_exact(D a, D b, D c) { return a * b + c; }

INLINE D d_draw(uint64_t stream, uint64_t e) {
    return (D){uniform(stream, e) * 0x1p53, uniform(stream, e + 1) * 0x1p53};
}
INLINE D d_chance(uint64_t stream, uint64_t e, int64_t bits) {
    const double unit = 1.0 / (double)(1LL << bits);
    double chance[2] __attribute__((aligned(32)));
    for (int lane = 0; lane < 2; lane++)
        chance[lane] =
            1.0 - unit - unit * (double)(int64_t)(mix(stream + GOLDEN * (e + 1 + (uint64_t)lane)) >> (64 - bits));
    return d_load(chance);
}

typedef struct { uint64_t stream, e; } From;
INLINE From draw_from(uint64_t stream, uint64_t e) { return (From){stream, e}; }
INLINE F f_drawn(F code, F rest, From from, const int k) {
    for (int lane = 0; lane < 4; lane++)
        code[lane] += uniform(from.stream, from.e + (uint64_t)(4 * k + lane)) < (double)rest[lane];
    return code;
}
