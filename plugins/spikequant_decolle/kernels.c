/* Elementwise work of a training step in one pass each. Every operation is rounded as torch's: a sum with a factor
 * is one fused multiply-add, everything else stands by itself. Images are (batch, height, width, channels). */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { BOXCAR, TRIANGLE, FAST_SIGMOID };

/* P <- alpha P + kp Q (the old Q), Q <- beta Q + kq S. */
void decolle_trace(int64_t n, float alpha, float kp, float beta, float kq, const float *restrict s, float *restrict p,
                   float *restrict q) {
    for (int64_t i = 0; i < n; i++) {
        p[i] = __builtin_fmaf(kp, q[i], p[i] * alpha);
        q[i] = __builtin_fmaf(kq, s[i], q[i] * beta);
    }
}

/* V <- V - rho R, R <- gamma R + kr [V >= Vth]: `places` neurons of each of `c` channels. */
static void neurons(int64_t places, int64_t c, float rho, float gamma, float kr, const float *restrict vth,
                    float *restrict v, float *restrict r) {
    for (int64_t k = 0; k < places; k++, v += c, r += c)
        for (int64_t i = 0; i < c; i++) {
            const float x = __builtin_fmaf(-rho, r[i], v[i]);
            v[i] = x;
            r[i] = __builtin_fmaf(kr, x >= vth[i] ? 1.0f : 0.0f, r[i] * gamma);
        }
}

/* The largest V of each window, which one it is (the first of equals), V - Vth and the spike, for each channel.
 * `pool` is a constant where it is inlined, so that the loops over a window unroll. */
static inline __attribute__((always_inline)) void windows(int64_t w, int64_t ph, int64_t pw, int64_t c, int64_t pool,
                                                          const float *restrict vth, const float *restrict v,
                                                          float *restrict d, float *restrict s, int32_t *restrict at) {
    for (int64_t y = 0; y < ph; y++)
        for (int64_t x = 0; x < pw; x++) {
            const float *restrict first = v + (y * pool * w + x * pool) * c;
            const int64_t out = (y * pw + x) * c;
            for (int64_t i = 0; i < c; i++) {
                float most = first[i];
                int32_t which = 0;
                for (int64_t k = 1; k < pool * pool; k++) {
                    const float other = first[((k / pool) * w + k % pool) * c + i];
                    which = other > most ? (int32_t)k : which;
                    most = other > most ? other : most;
                }
                at[out + i] = which;
                s[out + i] = most >= vth[i] ? 1.0f : 0.0f;
                d[out + i] = most - vth[i];
            }
        }
}

void decolle_fire(int64_t batch, int64_t h, int64_t w, int64_t c, int64_t pool, float rho, float gamma, float kr,
                  const float *vth, float *v, float *r, float *d, float *s, int32_t *at) {
    const int64_t ph = h / pool, pw = w / pool, size = h * w * c, pooled = ph * pw * c;
    for (int64_t b = 0; b < batch; b++, v += size, r += size, d += pooled, s += pooled, at += pooled) {
        neurons(h * w, c, rho, gamma, kr, vth, v, r);
        if (pool == 1)
            windows(w, ph, pw, c, 1, vth, v, d, s, at);
        else if (pool == 2)
            windows(w, ph, pw, c, 2, vth, v, d, s, at);
        else
            windows(w, ph, pw, c, pool, vth, v, d, s, at);
    }
}

/* g <- g * slope of the surrogate at d. */
void decolle_slope(int64_t n, int32_t kind, float width, const float *restrict d, float *restrict g) {
    if (kind == BOXCAR)
        for (int64_t i = 0; i < n; i++) g[i] = g[i] * (fabsf(d[i]) <= width ? 1.0f : 0.0f);
    else if (kind == TRIANGLE)
        for (int64_t i = 0; i < n; i++) {
            const float x = 1.0f - fabsf(d[i]) / width;
            g[i] = g[i] * (x > 0.0f ? x : 0.0f);
        }
    else
        for (int64_t i = 0; i < n; i++) {
            const float x = 1.0f + fabsf(d[i]) / width;
            g[i] = g[i] / (x * x);
        }
}

/* Send the gradient of each pooled value to the neuron that gave it; zero elsewhere. */
static inline __attribute__((always_inline)) void spread(int64_t w, int64_t ph, int64_t pw, int64_t c, int64_t pool,
                                                         const float *restrict g, const int32_t *restrict at,
                                                         float *restrict dv) {
    for (int64_t y = 0; y < ph; y++)
        for (int64_t x = 0; x < pw; x++) {
            float *restrict first = dv + (y * pool * w + x * pool) * c;
            const int64_t in = (y * pw + x) * c;
            for (int32_t k = 0; k < pool * pool; k++) {
                float *restrict to = first + ((k / pool) * w + k % pool) * c;
                for (int64_t i = 0; i < c; i++) to[i] = at[in + i] == k ? g[in + i] : 0.0f;
            }
        }
}

void decolle_unpool(int64_t batch, int64_t h, int64_t w, int64_t c, int64_t pool, const float *g, const int32_t *at,
                    float *dv) {
    const int64_t ph = h / pool, pw = w / pool, size = h * w * c, pooled = ph * pw * c;
    for (int64_t b = 0; b < batch; b++, dv += size, g += pooled, at += pooled) {
        for (int64_t y = 0; y < ph * pool && pw * pool < w; y++)
            memset(dv + (y * w + pw * pool) * c, 0, (size_t)((w - pw * pool) * c) * sizeof *dv);
        memset(dv + ph * pool * w * c, 0, (size_t)((h - ph * pool) * w * c) * sizeof *dv);
        if (pool == 2)
            spread(w, ph, pw, c, 2, g, at, dv);
        else
            spread(w, ph, pw, c, pool, g, at, dv);
    }
}

/* u <- max(beta u, |g| + eps), w <- w - rate m / u. */
void decolle_adamax(int64_t n, float rate, float beta, float eps, const float *g, const float *m, float *restrict u,
                    float *restrict w) {
    for (int64_t i = 0; i < n; i++) {
        const float old = u[i] * beta, now = fabsf(g[i]) + eps;
        const float x = old > now ? old : now;
        u[i] = x;
        w[i] = w[i] - m[i] / x * rate;
    }
}
