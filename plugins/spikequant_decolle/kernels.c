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

/* The largest V of a window, which one it is (the first of equals), V - Vth and the spike, for each channel. */
static void window(int64_t c, int64_t pool, int64_t row, const float *restrict vth, const float *restrict v,
                   float *restrict d, float *restrict s, int32_t *restrict at) {
    for (int64_t i = 0; i < c; i++) {
        d[i] = v[i];
        at[i] = 0;
    }
    for (int64_t k = 1; k < pool * pool; k++) {
        const float *restrict other = v + (k / pool) * row + (k % pool) * c;
        for (int64_t i = 0; i < c; i++) {
            const int32_t more = other[i] > d[i];
            at[i] = more ? (int32_t)k : at[i];
            d[i] = more ? other[i] : d[i];
        }
    }
    for (int64_t i = 0; i < c; i++) {
        s[i] = d[i] >= vth[i] ? 1.0f : 0.0f;
        d[i] = d[i] - vth[i];
    }
}

void decolle_fire(int64_t batch, int64_t h, int64_t w, int64_t c, int64_t pool, float rho, float gamma, float kr,
                  const float *vth, float *v, float *r, float *d, float *s, int32_t *at) {
    const int64_t ph = h / pool, pw = w / pool, row = w * c;
    for (int64_t b = 0; b < batch; b++, v += h * row, r += h * row) {
        neurons(h * w, c, rho, gamma, kr, vth, v, r);
        for (int64_t y = 0; y < ph; y++)
            for (int64_t x = 0; x < pw; x++, d += c, s += c, at += c)
                window(c, pool, row, vth, v + y * pool * row + x * pool * c, d, s, at);
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
void decolle_unpool(int64_t batch, int64_t h, int64_t w, int64_t c, int64_t pool, const float *restrict g,
                    const int32_t *restrict at, float *restrict dv) {
    const int64_t ph = h / pool, pw = w / pool;
    memset(dv, 0, (size_t)(batch * h * w * c) * sizeof *dv);
    for (int64_t b = 0; b < batch; b++, dv += h * w * c)
        for (int64_t y = 0; y < ph; y++)
            for (int64_t x = 0; x < pw; x++, g += c, at += c)
                for (int64_t i = 0; i < c; i++) {
                    const int64_t k = at[i];
                    dv[((y * pool + k / pool) * w + x * pool + k % pool) * c + i] = g[i];
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
