/* Lanes for AVX-512: 16 floats, 8 doubles. See lanes.h. */
#include <immintrin.h>
#define LANES "avx512"
#define STDP_AVX512 1
enum { FL = 16, DL = 8, BLOCK = 25 };
typedef __m512 F;
typedef __m512d D;

INLINE F f_set(float a) { return _mm512_set1_ps(a); }
INLINE F f_load(const float *p) { return _mm512_load_ps(p); }
INLINE void f_store(float *p, F a) { _mm512_store_ps(p, a); }
INLINE F f_add(F a, F b) { return _mm512_add_ps(a, b); }
INLINE F f_sub(F a, F b) { return _mm512_sub_ps(a, b); }
INLINE F f_mul(F a, F b) { return _mm512_mul_ps(a, b); }
INLINE F f_div(F a, F b) { return _mm512_div_ps(a, b); }
INLINE F f_min(F a, F b) { return _mm512_min_ps(a, b); }
INLINE F f_max(F a, F b) { return _mm512_max_ps(a, b); }
INLINE F f_sqrt(F a) { return _mm512_sqrt_ps(a); }
INLINE F f_floor(F a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
/* a >= b, one bit a lane */
INLINE unsigned f_at_least(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
INLINE unsigned f_differ(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
/* a >= b ? yes : no */
INLINE F f_pick(F a, F b, F yes, F no) { return _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ), yes); }
/* floor(a + half) for half 0 or 0.5, right also where the sum is no float */
INLINE F f_round(F a, F half) {
    F sum = _mm512_add_round_ps(a, half, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    return f_floor(sum);
}
/* table[a], a whole */
INLINE F f_look_up(const float *table, F a) { return _mm512_i32gather_ps(_mm512_cvttps_epi32(a), table, 4); }

INLINE D d_set(double a) { return _mm512_set1_pd(a); }
INLINE D d_load(const double *p) { return _mm512_load_pd(p); }
INLINE void d_store(double *p, D a) { _mm512_store_pd(p, a); }
INLINE D d_widen(const float *p) { return _mm512_cvtps_pd(_mm256_load_ps(p)); }
INLINE D d_add(D a, D b) { return _mm512_add_pd(a, b); }
INLINE D d_sub(D a, D b) { return _mm512_sub_pd(a, b); }
INLINE D d_mul(D a, D b) { return _mm512_mul_pd(a, b); }
INLINE D d_min(D a, D b) { return _mm512_min_pd(a, b); }
INLINE D d_max(D a, D b) { return _mm512_max_pd(a, b); }
INLINE D d_floor(D a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
INLINE unsigned d_at_least(D a, D b) { return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ); }
INLINE D d_pick(D a, D b, D yes, D no) { return _mm512_mask_mov_pd(no, _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ), yes); }
/* a*b + c where that is exact, so that it does not matter whether it is one operation or two */
INLINE D d_exact(D a, D b, D c) { return _mm512_fmadd_pd(a, b, c); }

INLINE __m512i mix_lanes(__m512i z) {
    z = _mm512_mullo_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 30)), _mm512_set1_epi64((long long)FIRST));
    z = _mm512_mullo_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 27)), _mm512_set1_epi64((long long)SECOND));
    return _mm512_xor_si512(z, _mm512_srli_epi64(z, 31));
}
INLINE __m512i golden_steps(void) {
    const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_mullo_epi64(lane, _mm512_set1_epi64((long long)GOLDEN));
}
/* 2**53 times the uniform numbers of elements e, e + 1, ... */
INLINE D d_draw(uint64_t stream, uint64_t e) {
    __m512i z = _mm512_add_epi64(golden_steps(), _mm512_set1_epi64((long long)(stream + GOLDEN * (e + 1))));
    return _mm512_cvtepu64_pd(_mm512_srli_epi64(mix_lanes(z), 11));
}
/* mix without its last step, which leaves the upper 31 bits alone */
INLINE __m512i mix_upper(__m512i z) {
    z = _mm512_mullo_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 30)), _mm512_set1_epi64((long long)FIRST));
    return _mm512_mullo_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 27)), _mm512_set1_epi64((long long)SECOND));
}
/* 1 - 2**-bits minus the uniform numbers of elements e, e + 1, ..., cut to bits <= 31 */
INLINE D d_chance(uint64_t stream, uint64_t e, int64_t bits) {
    __m512i z = _mm512_add_epi64(golden_steps(), _mm512_set1_epi64((long long)(stream + GOLDEN * (e + 1))));
    z = _mm512_srl_epi64(mix_upper(z), _mm_cvtsi64_si128(64 - bits));
    const double unit = 1.0 / (double)(1LL << bits);
    return d_exact(_mm512_cvtepu64_pd(z), d_set(-unit), d_set(1.0 - unit));
}
/* Counters of 16 elements, even and odd ones apart. */
typedef struct { __m512i even, odd; } From;
INLINE From draw_from(uint64_t stream, uint64_t e) {
    const __m512i base = _mm512_set1_epi64((long long)(stream + GOLDEN * (e + 1)));
    const __m512i steps = golden_steps(), even = _mm512_add_epi64(base, _mm512_add_epi64(steps, steps));
    return (From){even, _mm512_add_epi64(even, _mm512_set1_epi64((long long)GOLDEN))};
}
/* whether the uniform numbers of 8 elements are below rest * 2**-53 */
INLINE unsigned below(__m512i z, D rest) {
    z = _mm512_srli_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 31)), 11);
    return _mm512_cmp_pd_mask(_mm512_cvtepu64_pd(z), rest, _CMP_LT_OQ);
}
/* code + 1 where the uniform number of element from + 16 k + lane is below rest, else code. 31 bits of the numbers
 * decide, and all of them where these do not. */
INLINE F f_drawn(F code, F rest, From from, const int k) {
    const __m512i skip = _mm512_set1_epi64((long long)(GOLDEN * (uint64_t)(16 * k)));
    const __m512i even = mix_upper(_mm512_add_epi64(from.even, skip));
    const __m512i odd = mix_upper(_mm512_add_epi64(from.odd, skip));
    const __m512i upper = _mm512_mask_srli_epi32(_mm512_srli_epi64(even, 33), 0xAAAA, odd, 1);
    const __m512i limit = _mm512_cvttps_epi32(_mm512_mul_ps(rest, _mm512_set1_ps(0x1p31f)));
    unsigned up = _mm512_cmplt_epu32_mask(upper, limit);
    if (__builtin_expect(_mm512_cmpeq_epu32_mask(upper, limit), 0)) {
        const __m512i whole = _mm512_castps_si512(_mm512_mul_ps(rest, _mm512_set1_ps(0x1p53f)));
        const __m512i evens = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 14, 12, 10, 8, 6, 4, 2, 0);
        const __m512i odds = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 15, 13, 11, 9, 7, 5, 3, 1);
        D first = _mm512_cvtps_pd(_mm256_castsi256_ps(_mm512_castsi512_si256(_mm512_permutexvar_epi32(evens, whole))));
        D second = _mm512_cvtps_pd(_mm256_castsi256_ps(_mm512_castsi512_si256(_mm512_permutexvar_epi32(odds, whole))));
        up = _pdep_u32(below(even, first), 0x5555) | _pdep_u32(below(odd, second), 0xAAAA);
    }
    return _mm512_mask_add_ps(code, (__mmask16)up, code, f_set(1.0f));
}
