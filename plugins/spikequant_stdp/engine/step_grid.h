/* One step of quantized potentials and conductances, as codes in doubles. */
#ifndef STDP_STEP_GRID_H
#define STDP_STEP_GRID_H
#include "cell.h"

enum { FLOOR, HALVES, DRAWS, CHANCES }; /* how a step ends: floor of it all, RN, SR with cell->draws or formats->chance */

/* The way in which a grid is rounded; where the sum before it is exact, the 1/2 of RN is added to it beforehand. */
INLINE int way_of(const Grid *grid, int64_t exact) {
    return grid->rounding == TRUNCATE || (grid->rounding == NEAREST && exact) ? FLOOR
           : grid->rounding == NEAREST                                        ? HALVES
                                                                              : DRAWS;
}

INLINE void draw_lanes(const Job *job, Cell *cell, const Grid *grid, int64_t draw) {
    const uint64_t stream = stream_of(grid->key, draw);
    for (int64_t j = 0; j < job->padded; j += DL) d_store(cell->draws + j, d_draw(stream, (uint64_t)j));
}

INLINE D d_code(const Grid *grid, D ratio, const int way, const Cell *cell, int64_t j) {
    if (way == FLOOR) ratio = d_floor(ratio);
    else if (way == HALVES) ratio = d_nearest(ratio);
    else ratio = d_drawn(ratio, d_load(cell->draws + j));
    return d_held(grid, ratio);
}

INLINE D d_sum(const float *sum, const double *wide, int64_t j) { return wide ? d_load(wide + j) : d_widen(sum + j); }

/* The conductance: g = Q(decay * g + sum). */
INLINE void g_lanes(const Job *job, Cell *cell, const float *sum, const double *wide, const int way) {
    const Grid *grid = &cell->formats->g;
    const D decay = d_set(grid->decay), scale = d_set(grid->scale);
    const D half = d_set(way == FLOOR && grid->rounding == NEAREST ? 0.5 : 0.0);
    for (int64_t j = 0; j < job->padded; j += DL) {
        D kept = d_exact(d_load(cell->G + j), decay, half);
        d_store(cell->G + j, d_code(grid, d_exact(d_sum(sum, wide, j), scale, kept), way, cell, j));
    }
    for (int64_t j = 0; j < job->padded; j++) cell->g[j] = (float)(cell->G[j] * grid->step);
}

static void step_g(const Job *job, Cell *cell, const float *sum, const double *wide, int64_t draw) {
    const Grid *grid = &cell->formats->g;
    switch (way_of(grid, cell->formats->w.there)) {
    case FLOOR: g_lanes(job, cell, sum, wide, FLOOR); break;
    case HALVES: g_lanes(job, cell, sum, wide, HALVES); break;
    default:
        draw_lanes(job, cell, grid, draw);
        g_lanes(job, cell, sum, wide, DRAWS);
    }
}

/* V = Q(decay * (V - rest) + rest + x), then the threshold; returns how many reached it. */
INLINE int v_lanes(const Job *job, Cell *cell, const float *sum, const double *wide, int64_t t, const int way,
                   const int busy, const int conductance) {
    const Grid *grid = &cell->formats->V;
    const double rest = (double)job->rest * grid->scale;
    const double half = way == FLOOR && grid->rounding == NEAREST ? 0.5 : 0.0;
    const D decay = d_set(grid->decay), base = d_set(rest - rest * grid->decay + half), scale = d_set(grid->scale);
    const D now = d_set((double)t), none = d_set(0.0), unit = d_set(cell->formats->g.step * 0x1p-7);
    const D loss = d_set(cell->before >= 0 ? (double)job->inhibition * grid->scale : 0.0);
    const float *chance = cell->formats->chance + t * job->padded;
    int crossed = 0;
    if (busy && cell->before >= 0) cell->let_off[cell->before] = 0.0;
    for (int64_t j = 0; j < job->padded; j += DL) {
        D v = d_load(cell->V + j);
        D leaked = d_exact(v, decay, base);
        if (way == CHANCES) leaked = d_add(leaked, d_widen(chance + j));
        D driven;
        if (conductance) {
            driven = d_exact(d_mul(d_load(cell->G + j), d_sub(none, v)), unit, leaked);
            if (busy) driven = d_sub(driven, d_mul(loss, d_load(cell->let_off + j)));
        } else if (busy) {
            driven = d_sub(d_mul(d_sum(sum, wide, j), scale), d_mul(loss, d_load(cell->let_off + j)));
            driven = d_add(leaked, driven);
        } else {
            driven = d_exact(d_sum(sum, wide, j), scale, leaked);
        }
        if (busy) driven = d_pick(now, d_load(cell->Wait + j), driven, leaked);
        v = d_code(grid, driven, way == CHANCES ? FLOOR : way, cell, j);
        d_store(cell->V + j, v);
        for (unsigned bits = d_at_least(v, d_load(cell->Firing + j)); bits; bits &= bits - 1)
            cell->crossed[crossed++] = (int32_t)j + __builtin_ctz(bits);
    }
    if (busy && cell->before >= 0) cell->let_off[cell->before] = 1.0;
    return crossed;
}

INLINE int v_by(const Job *job, Cell *cell, const float *sum, const double *wide, int64_t t, const int way) {
    const int busy = t <= cell->waiting || cell->before >= 0;
    if (job->conductance)
        return busy ? v_lanes(job, cell, sum, wide, t, way, 1, 1) : v_lanes(job, cell, sum, wide, t, way, 0, 1);
    return busy ? v_lanes(job, cell, sum, wide, t, way, 1, 0) : v_lanes(job, cell, sum, wide, t, way, 0, 0);
}

static int step_grid(const Job *job, Cell *cell, const float *sum, const double *wide, int64_t t, int64_t draw) {
    const Grid *grid = &cell->formats->V;
    switch (way_of(grid, cell->formats->exact)) {
    case FLOOR: return v_by(job, cell, sum, wide, t, FLOOR);
    case HALVES: return v_by(job, cell, sum, wide, t, HALVES);
    default:
        if (cell->formats->chance) return v_by(job, cell, sum, wide, t, CHANCES);
        draw_lanes(job, cell, grid, draw);
        return v_by(job, cell, sum, wide, t, DRAWS);
    }
}
#endif
