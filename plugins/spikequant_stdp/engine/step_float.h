/* One step of potentials in float32. */
#ifndef STDP_STEP_FLOAT_H
#define STDP_STEP_FLOAT_H
#include "cell.h"

/* The conductance in float32. */
static void fade_g(const Job *job, Cell *cell, const float *sum) {
    const F decay = f_set(job->g_decay);
    for (int64_t j = 0; j < job->padded; j += FL)
        f_store(cell->g + j, f_add(f_mul(f_load(cell->g + j), decay), f_load(sum + j)));
}

/* Leak, add what arrives, compare with the threshold; returns how many reached it. theta: of learning, or NULL;
 * busy: somebody waits or is inhibited. */
INLINE int step_lanes(const Job *job, Cell *cell, const float *sum, float *theta, int64_t t, const int fading,
                      const int busy, const int conductance) {
    const F decay = f_set(job->decay), rest = f_set(job->rest), now = f_set((float)t), none = f_set(0.0f);
    const F base = f_set(job->threshold), fade = f_set(job->theta_decay);
    const F inhibition = f_set(cell->before >= 0 ? job->inhibition : 0.0f);
    const int block = (int)(cell->before / FL), lane = (int)(cell->before % FL);
    float each[FL] __attribute__((aligned(64)));
    int crossed = 0;
    for (int k = 0; k < FL; k++) each[k] = job->inhibition;
    if (busy && cell->before >= 0) each[lane] = 0.0f;
    for (int64_t j = 0; j < job->padded; j += FL) {
        F v = f_load(cell->v + j);
        F leaked = f_add(f_mul(f_sub(v, rest), decay), rest), driven;
        F loss = busy && cell->before >= 0 && j == block * (int64_t)FL ? f_load(each) : inhibition;
        if (conductance) {
            driven = f_mul(f_mul(f_load(cell->g + j), f_sub(none, v)), f_set(0x1p-7f));
            driven = f_add(leaked, driven);
            if (busy) driven = f_sub(driven, loss);
        } else {
            driven = f_load(sum + j);
            if (busy) driven = f_sub(driven, loss);
            driven = f_add(leaked, driven);
        }
        v = busy ? f_pick(now, f_load(cell->wait + j), driven, leaked) : driven;
        F firing;
        if (fading) {
            F faded = f_mul(f_load(theta + j), fade);
            f_store(theta + j, faded);
            firing = f_add(base, faded);
        } else {
            firing = f_load(cell->firing + j);
        }
        f_store(cell->v + j, v);
        for (unsigned bits = f_at_least(v, firing); bits; bits &= bits - 1)
            cell->crossed[crossed++] = (int32_t)j + __builtin_ctz(bits);
    }
    return crossed;
}

INLINE int step_float(const Job *job, Cell *cell, const float *sum, float *theta, int64_t t, const int fading) {
    const int busy = t <= cell->waiting || cell->before >= 0;
    if (!job->conductance)
        return busy ? step_lanes(job, cell, sum, theta, t, fading, 1, 0)
                    : step_lanes(job, cell, sum, theta, t, fading, 0, 0);
    if (!cell->formats->g.there) fade_g(job, cell, sum);
    return busy ? step_lanes(job, cell, sum, theta, t, fading, 1, 1)
                : step_lanes(job, cell, sum, theta, t, fading, 0, 1);
}
#endif
