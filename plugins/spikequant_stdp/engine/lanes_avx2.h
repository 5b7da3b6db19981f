/* Lanes for AVX2: 8 floats, 4 doubles. See lanes.h. */
#include <immintrin.h>
#define LANES "avx2"
enum { FL = 8, DL = 4, BLOCK = 10 };
typedef __m256 F;
typedef __m256d D;

INLINE F f_set(float a) { return _mm256_set1_ps(a); }
INLINE F f_load(const float *p) { return _mm256_load_ps(p); }
INLINE void f_store(float *p, F a) { _mm256_store_ps(p, a); }
INLINE F f_add(F a, F b) { return _mm256_add_ps(a, b); }
INLINE F f_sub(F a, F b) { return _mm256_sub_ps(a, b); }
INLINE F f_mul(F a, F b) { return _mm256_mul_ps(a, b); }
INLINE F f_div(F a, F b) { return _mm256_div_ps(a, b); }
INLINE F f_min(F a, F b) { return _mm256_min_ps(a, b); }
INLINE F f_max(F a, F b) { return _mm256_max_ps(a, b); }
INLINE F f_sqrt(F a) { return _mm256_sqrt_ps(a); }
INLINE F f_floor(F a) { return _mm256_floor_ps(a); }
INLINE F f_reaches(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
INLINE unsigned f_at_least(F a, F b) { return (unsigned)_mm256_movemask_ps(f_reaches(a, b)); }
INLINE unsigned f_differ(F a, F b) { return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NEQ_UQ)); }
INLINE F f_pick(F a, F b, F yes, F no) { return _mm256_blendv_ps(no, yes, f_reaches(a, b)); }
INLINE F f_round(F a, F half) {
    F low = f_floor(a), none = f_set(0.0f), rest = f_sub(a, low);
    F up = _mm256_and_ps(f_reaches(rest, half), _mm256_cmp_ps(half, none, _CMP_GT_OQ));
    return f_add(low, _mm256_and_ps(up, f_set(1.0f)));
}
INLINE F f_look_up(const float *table, F a) { return _mm256_i32gather_ps(table, _mm256_cvttps_epi32(a), 4); }

INLINE D d_set(double a) { return _mm256_set1_pd(a); }
INLINE D d_load(const double *p) { return _mm256_load_pd(p); }
INLINE void d_store(double *p, D a) { _mm256_store_pd(p, a); }
INLINE D d_widen(const float *p) { return _mm256_cvtps_pd(_mm_load_ps(p)); }
INLINE D d_add(D a, D b) { return _mm256_add_pd(a, b); }
INLINE D d_sub(D a, D b) { return _mm256_sub_pd(a, b); }
INLINE D d_mul(D a, D b) { return _mm256_mul_pd(a, b); }
INLINE D d_min(D a, D b) { return _mm256_min_pd(a, b); }
INLINE D d_max(D a, D b) { return _mm256_max_pd(a, b); }
INLINE D d_floor(D a) { return _mm256_floor_pd(a); }
INLINE D d_reaches(D a, D b) { return _mm256_cmp_pd(a, b, _CMP_GE_OQ); }
INLINE unsigned d_at_least(D a, D b) { return (unsigned)_mm256_movemask_pd(d_reaches(a, b)); }
INLINE D d_pick(D a, D b, D yes, D no) { return _mm256_blendv_pd(no, yes, d_reaches(a, b)); }
INLINE D d_exact(D a, D b, D c) { return d_add(d_mul(a, b), c); }

INLINE D d_draw(uint64_t stream, uint64_t e) {
    const uint64_t z = stream + GOLDEN * (e + 1);
    return _mm256_set_pd((double)(int64_t)(mix(z + 3 * GOLDEN) >> 11), (double)(int64_t)(mix(z + 2 * GOLDEN) >> 11),
                         (double)(int64_t)(mix(z + GOLDEN) >> 11), (double)(int64_t)(mix(z) >> 11));
}
INLINE D d_chance(uint64_t stream, uint64_t e, int64_t bits) {
    const double unit = 1.0 / (double)(1LL << bits);
    double chance[4] __attribute__((aligned(32)));
    for (int lane = 0; lane < 4; lane++)
        chance[lane] =
            1.0 - unit - unit * (double)(int64_t)(mix(stream + GOLDEN * (e + 1 + (uint64_t)lane)) >> (64 - bits));
    return d_load(chance);
}

typedef struct { uint64_t stream, e; } From;
INLINE From draw_from(uint64_t stream, uint64_t e) { return (From){stream, e}; }
INLINE F f_drawn(F code, F rest, From from, const int k) {
    const uint64_t e = from.e + (uint64_t)(8 * k);
    rest = _mm256_mul_ps(rest, _mm256_set1_ps(0x1p53f));
    D low = _mm256_cvtps_pd(_mm256_castps256_ps128(rest)), high = _mm256_cvtps_pd(_mm256_extractf128_ps(rest, 1));
    low = _mm256_and_pd(_mm256_cmp_pd(d_draw(from.stream, e), low, _CMP_LT_OQ), d_set(1.0));
    high = _mm256_and_pd(_mm256_cmp_pd(d_draw(from.stream, e + 4), high, _CMP_LT_OQ), d_set(1.0));
    return f_add(code, _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low)));
}
