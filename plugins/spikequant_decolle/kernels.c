/* Elementwise work of a training step in one pass each. Every operation is rounded as torch's: a sum with a factor
 * is one fused multiply-add, everything else stands by itself. Images are (batch, height, width, channels). */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { BOXCAR, TRIANGLE, FAST_SIGMOID };

#define INLINE static inline __attribute__((always_inline))
/* Channels at a time. */
#define BLOCK 16

struct neurons {
    float rho, gamma, kr;
};

struct sizes {
    int64_t h, w, c, ph, pw, size, pooled;
};

static struct sizes sizes(int64_t h, int64_t w, int64_t c, int64_t pool) {
    const int64_t ph = h / pool, pw = w / pool;
    return (struct sizes){h, w, c, ph, pw, h * w * c, ph * pw * c};
}

/* P <- alpha P + kp Q (the old Q), Q <- beta Q + kq S. */
void decolle_trace(int64_t n, float alpha, float kp, float beta, float kq, const float *restrict s, float *restrict p,
                   float *restrict q) {
    for (int64_t i = 0; i < n; i++) {
        p[i] = __builtin_fmaf(kp, q[i], p[i] * alpha);
        q[i] = __builtin_fmaf(kq, s[i], q[i] * beta);
    }
}

/* V - rho R, and R <- gamma R + kr [V - rho R >= Vth]. */
INLINE float neuron(struct neurons k, float vth, float v, float *r) {
    const float x = __builtin_fmaf(-k.rho, *r, v);
    *r = __builtin_fmaf(k.kr, x >= vth ? 1.0f : 0.0f, *r * k.gamma);
    return x;
}

/* The neurons of one pooling window in `n` channels: the largest V, which one it is (the first of equals), V - Vth
 * and the spike. `n` and `pool` are constants where it matters, so that the loops unroll into whole vectors. */
INLINE void window(int64_t n, int64_t pool, int64_t w, int64_t c, struct neurons k, const float *restrict vth,
                   const float *restrict v, float *restrict r, float *restrict d, float *restrict s,
                   int32_t *restrict at) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float most = neuron(k, vth[i], v[i], r + i);
        int32_t which = 0;
        for (int64_t j = 1; j < pool * pool; j++) {
            const int64_t to = (j / pool * w + j % pool) * c + i;
            const float other = neuron(k, vth[i], v[to], r + to);
            which = other > most ? (int32_t)j : which;
            most = other > most ? other : most;
        }
        at[i] = which;
        s[i] = most >= vth[i] ? 1.0f : 0.0f;
        d[i] = most - vth[i];
    }
}

/* All windows of an image, and the neurons at the right and bottom edge that are in none. */
INLINE void image(int64_t pool, struct sizes z, struct neurons k, const float *restrict vth, const float *restrict v,
                  float *restrict r, float *restrict d, float *restrict s, int32_t *restrict at) {
    const int64_t c = z.c;
    for (int64_t y = 0; y < z.h; y++)
        for (int64_t x = y < z.ph * pool ? z.pw * pool : 0; x < z.w; x++)
            for (int64_t i = 0; i < c; i++) neuron(k, vth[i], v[(y * z.w + x) * c + i], r + (y * z.w + x) * c + i);
    for (int64_t y = 0; y < z.ph; y++)
        for (int64_t x = 0; x < z.pw; x++) {
            const int64_t in = (y * pool * z.w + x * pool) * c, out = (y * z.pw + x) * c;
            int64_t i = 0;
            for (; i + BLOCK <= c; i += BLOCK)
                window(BLOCK, pool, z.w, c, k, vth + i, v + in + i, r + in + i, d + out + i, s + out + i, at + out + i);
            window(c - i, pool, z.w, c, k, vth + i, v + in + i, r + in + i, d + out + i, s + out + i, at + out + i);
        }
}

void decolle_fire(int64_t batch, int64_t h, int64_t w, int64_t c, int64_t pool, float rho, float gamma, float kr,
                  const float *vth, const float *v, float *r, float *d, float *s, int32_t *at) {
    const struct sizes z = sizes(h, w, c, pool);
    const struct neurons k = {rho, gamma, kr};
    for (int64_t b = 0; b < batch; b++, v += z.size, r += z.size, d += z.pooled, s += z.pooled, at += z.pooled) {
        if (pool == 1)
            image(1, z, k, vth, v, r, d, s, at);
        else if (pool == 2)
            image(2, z, k, vth, v, r, d, s, at);
        else if (pool == 3)
            image(3, z, k, vth, v, r, d, s, at);
        else if (pool == 4)
            image(4, z, k, vth, v, r, d, s, at);
        else
            image(pool, z, k, vth, v, r, d, s, at);
    }
}

/* Gradient of the mean smooth L1 loss: e <- (y - target) between -1 and 1, divided by their number. */
void decolle_errors(int64_t n, const float *restrict y, const float *restrict target, float *restrict e) {
    for (int64_t i = 0; i < n; i++) {
        const float x = y[i] - target[i], least = x < -1.0f ? -1.0f : x;
        e[i] = (least > 1.0f ? 1.0f : least) / (float)n;
    }
}

/* g <- g * slope of the surrogate at d; `steep` is 1 / width. */
void decolle_slope(int64_t n, int32_t kind, float width, float steep, const float *restrict d, float *restrict g) {
    if (kind == BOXCAR)
        for (int64_t i = 0; i < n; i++) g[i] = g[i] * (fabsf(d[i]) <= width ? 1.0f : 0.0f);
    else if (kind == TRIANGLE)
        for (int64_t i = 0; i < n; i++) {
            const float x = 1.0f - fabsf(d[i]) * steep;
            g[i] = g[i] * (x > 0.0f ? x : 0.0f);
        }
    else
        for (int64_t i = 0; i < n; i++) {
            const float x = 1.0f + fabsf(d[i]) * steep;
            g[i] = g[i] / (x * x);
        }
}

/* Send the gradient of each pooled value of one window to the neuron that gave it; zero elsewhere. */
INLINE void spread(int64_t n, int64_t pool, int64_t w, int64_t c, const float *restrict g, const int32_t *restrict at,
                   float *restrict dv) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const float value = g[i];
        for (int32_t j = 0; j < pool * pool; j++) dv[(j / pool * w + j % pool) * c + i] = at[i] == j ? value : 0.0f;
    }
}

INLINE void spread_image(int64_t pool, struct sizes z, const float *g, const int32_t *at, float *dv) {
    const int64_t c = z.c, inner = z.pw * pool * c, row = z.w * c;
    for (int64_t y = 0; y < z.ph; y++)
        for (int64_t x = 0; x < z.pw; x++) {
            const int64_t in = (y * z.pw + x) * c, out = (y * pool * z.w + x * pool) * c;
            int64_t i = 0;
            for (; i + BLOCK <= c; i += BLOCK) spread(BLOCK, pool, z.w, c, g + in + i, at + in + i, dv + out + i);
            spread(c - i, pool, z.w, c, g + in + i, at + in + i, dv + out + i);
        }
    for (int64_t y = 0; y < z.ph * pool && inner < row; y++)
        memset(dv + y * row + inner, 0, (size_t)(row - inner) * sizeof *dv);
    memset(dv + z.ph * pool * row, 0, (size_t)(z.h - z.ph * pool) * (size_t)row * sizeof *dv);
}

void decolle_unpool(int64_t batch, int64_t h, int64_t w, int64_t c, int64_t pool, const float *g, const int32_t *at,
                    float *dv) {
    const struct sizes z = sizes(h, w, c, pool);
    for (int64_t b = 0; b < batch; b++, dv += z.size, g += z.pooled, at += z.pooled) {
        if (pool == 2)
            spread_image(2, z, g, at, dv);
        else if (pool == 3)
            spread_image(3, z, g, at, dv);
        else if (pool == 4)
            spread_image(4, z, g, at, dv);
        else
            spread_image(pool, z, g, at, dv);
    }
}

/* Minus the sum of `n` rows of `c` values, the upper half added to the lower one until one row is left; an odd last
 * row is added to the first. `half` holds n / 2 rows on the way. */
void decolle_threshold(int64_t n, int64_t c, const float *restrict g, float *restrict half, float *restrict sum) {
    const float *from = g;
    while (n > 1) {
        const int64_t rest = n % 2, size = n / 2 * c;
#pragma GCC ivdep
        for (int64_t i = 0; i < size; i++) half[i] = from[i] + from[size + i];
        for (int64_t i = 0; rest && i < c; i++) half[i] = half[i] + from[2 * size + i];
        from = half, n /= 2;
    }
    for (int64_t i = 0; i < c; i++) sum[i] = -from[i];
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
