/* Training: images one after the other, learning at every step. */
#include "encode.h"
#include "plasticity.h"
#include "room.h"
#include "step_float.h"
#include "step_grid.h"
#include "sums.h"

enum { EXACT_FLOAT = 1 << 24 };

typedef struct {
    Cell cell;
    Lesson lesson;
    Source source;
    int32_t *list[STRIP];
    int count[STRIP];
    float *sum;             /* what arrives at the neurons next, and in doubles where is_wide */
    double *wide;
    int is_wide;
    float *factor;          /* of the last normalisation */
    uint8_t *stale;         /* rows that await these factors and the clamp of this image's first step */
    int32_t *seen, *spiked; /* inputs that spiked in this image; when each last did */
    int seen_count;
    int32_t *awake, *fired; /* neurons that spiked in this image; when each last did, or -1 */
    int awake_count;
    float *pre;             /* of the lesson */
    int32_t *block;
    float *old;             /* of this step's inputs: their weight to the neuron that spikes, before the step */
} Work;

static void lay_out(const Job *job, const Formats *formats, Room *room, Work *work) {
    const int64_t line = job->padded * (int64_t)sizeof(double), column = job->inputs * (int64_t)sizeof(float);
    take_source(job, room, &work->source);
    take_lists(job, room, work->list, STRIP);
    take_cell(job, room, &work->cell);
    take_shared(job, room, &work->cell);
    work->sum = take(room, line);
    work->wide = take(room, line);
    work->factor = take(room, line);
    work->stale = take(room, job->inputs);
    work->seen = take(room, column);
    work->spiked = take(room, column);
    work->awake = take(room, line);
    work->fired = take(room, line);
    work->pre = take(room, line);
    work->block = take(room, line);
    work->old = take(room, column);
    work->lesson.rounded = has_rounded(formats) ? take(room, column * job->padded) : NULL;
}

int64_t stdp_train_room(const Job *job, const Formats *formats) {
    Room room = {0, 0};
    Work work;
    lay_out(job, formats, &room, &work);
    return room.used;
}

/* Bring a row up to date: the normalisation after the last image, then the clamp of this image's first step. */
INLINE void freshen(const Job *job, const float *factor, float *row, const int clamp) {
    const F none = f_set(0.0f), top = f_set(job->w_max);
    for (int64_t j = 0; j < job->padded; j += FL) {
        F w = f_mul(f_load(row + j), f_load(factor + j));
        f_store(row + j, clamp ? f_min(f_max(w, none), top) : w);
    }
}

INLINE void round_row(const Job *job, Lesson *lesson, int32_t i) {
    const int64_t at = i * job->padded;
    if (lesson->rounded)
        for (int64_t j = at; j < at + job->padded; j += FL)
            f_store(lesson->rounded + j, f_on_grid(&lesson->formats->w, f_load(lesson->w + j), 0, 0));
}

/* The clamp of the first step, which counts as an update. */
static void first_clamp(const Job *job, Lesson *lesson, int64_t spike) {
    for (int r = 0; r < lesson->rows; r++) {
        float *row = lesson->w + lesson->row[r] * job->padded;
        for (int64_t j = 0; j < job->neurons; j++) {
            float now = clamped(job, row[j]);
            lesson->updates += is_stored(lesson->formats) && now != row[j] && j != spike;
            row[j] = now;
        }
        round_row(job, lesson, lesson->row[r]);
    }
}

/* Mark the inputs that spike at step t, bring their rows up to date, and note the weights to the neuron that spikes. */
static void meet(const Job *job, Work *work, int64_t t, int64_t spike) {
    Lesson *lesson = &work->lesson;
    for (int r = 0; r < lesson->rows; r++) {
        int32_t i = lesson->row[r];
        float *row = lesson->w + i * job->padded;
        if (work->stale[i]) {
            work->stale[i] = 0;
            work->seen[work->seen_count++] = i;
            if (t) {
                freshen(job, work->factor, row, 1);
                round_row(job, lesson, i);
            } else {
                freshen(job, work->factor, row, 0);
            }
        }
        work->spiked[i] = (int32_t)t;
        if (spike >= 0) work->old[r] = row[spike];
    }
    if (!t) first_clamp(job, lesson, spike);
}

INLINE void teach_one(const Job *job, Lesson *lesson, int64_t i, int64_t j, float old, float pre, float post) {
    const int64_t place = i * job->padded + j;
    lesson->w[place] = kept(lesson, old, learned(job, old, pre, post), (uint64_t)(i * job->neurons + j));
    if (lesson->rounded) lesson->rounded[place] = rounded(&lesson->formats->w, lesson->w[place]);
}

/* The spike of neuron j at step t strengthens the weights of all inputs seen. */
static void reward(const Job *job, Work *work, int64_t j, int64_t t) {
    Lesson *lesson = &work->lesson;
    for (int s = 0; s < work->seen_count; s++) {
        int32_t i = work->seen[s];
        if (work->spiked[i] == t) continue;
        float post = job->trace[t - work->spiked[i]] * job->eta_post;
        teach_one(job, lesson, i, j, lesson->w[i * job->padded + j], 0.0f, post);
    }
    for (int r = 0; r < lesson->rows; r++)
        teach_one(job, lesson, lesson->row[r], j, work->old[r], job->eta_pre, job->eta_post);
    if (is_stored(lesson->formats) && !t) /* the first clamp is an update of the whole column */
        for (int64_t i = 0; i < job->inputs; i++) {
            float w = lesson->w[i * job->padded + j];
            if (work->stale[i] && clamped(job, w) != w) lesson->updates++;
        }
}

/* Traces of the neurons at step t, and the blocks that hold them. */
static void trace_neurons(const Job *job, Work *work, int64_t t, int64_t spike) {
    if (spike >= 0 && work->fired[spike] < 0) {
        const int32_t first = (int32_t)(spike / FL * FL);
        int b = 0;
        work->awake[work->awake_count++] = (int32_t)spike;
        while (b < work->lesson.blocks && work->block[b] != first) b++;
        if (b == work->lesson.blocks) work->block[work->lesson.blocks++] = first;
    }
    if (spike >= 0) work->fired[spike] = (int32_t)t;
    for (int a = 0; a < work->awake_count; a++) {
        int32_t j = work->awake[a];
        work->pre[j] = job->trace[t - work->fired[j]] * job->eta_pre;
    }
    if (spike >= 0) work->pre[spike] = 0.0f; /* reward does this column */
}

/* Largest magnitude of a code in use. */
INLINE double largest_code(const Job *job, const Grid *grid) {
    double code = floor((double)job->w_max * grid->scale) + 1.0;
    if (grid->wrap) return grid->high > -grid->low ? grid->high : -grid->low;
    return code < grid->high ? code : grid->high;
}

/* Sum what arrives at the next step, of the given draw. */
static void add_up(const Job *job, Work *work, int64_t draw) {
    const Lesson *lesson = &work->lesson;
    const Grid *grid = &lesson->formats->w;
    const float *w = lesson->rounded ? lesson->rounded : lesson->w;
    const int drawn = grid->there && !lesson->rounded && !lesson->formats->stored;
    work->is_wide = grid->there && lesson->rows * largest_code(job, grid) >= EXACT_FLOAT;
    if (drawn) {
        const uint64_t stream = stream_of(grid->key, draw);
        work->is_wide |= grid->wrap || (double)job->w_max * grid->scale >= 1 << 28;
        if (work->is_wide)
            sum_drawn_wide(job, grid, w, lesson->row, lesson->rows, stream, work->wide, work->sum);
        else
            sum_drawn(job, grid, w, lesson->row, lesson->rows, stream, work->sum);
    } else if (work->is_wide) {
        sum_rows_wide(w, job->padded, lesson->row, lesson->rows, work->wide, work->sum);
    } else {
        sum_rows(w, job->padded, lesson->row, lesson->rows, work->sum);
    }
}

static void learn(const Job *job, Work *work, int64_t t, int64_t spike, int64_t draw) {
    Lesson *lesson = &work->lesson;
    lesson->row = work->list[t % STRIP];
    lesson->rows = work->count[t % STRIP];
    lesson->stream = stream_of(lesson->formats->w.key, draw);
    meet(job, work, t, spike);
    trace_neurons(job, work, t, spike);
    teach_rows(lesson);
    if (spike >= 0) reward(job, work, spike, t);
    add_up(job, work, draw + 1);
}

static void forget(const Job *job, Work *work) {
    reset_cell(job, &work->cell);
    memset(work->sum, 0, (size_t)job->padded * sizeof(float));
    memset(work->pre, 0, (size_t)job->padded * sizeof(float));
    memset(work->fired, 0xff, (size_t)job->padded * sizeof(int32_t));
    work->is_wide = work->seen_count = work->awake_count = work->lesson.blocks = 0;
}

INLINE void total_block(const Job *job, Work *work, int64_t j, const int block) {
    const F none = f_set(0.0f), top = f_set(job->w_max);
    F total[BLOCK];
    for (int k = 0; k < block; k++) total[k] = none;
    for (int64_t i = 0; i < job->inputs; i++) {
        float *at = work->lesson.w + i * job->padded + j;
        if (work->stale[i])
            for (int k = 0; k < block; k++) {
                F now = f_mul(f_load(at + k * FL), f_load(work->factor + j + k * FL));
                f_store(at + k * FL, f_min(f_max(now, none), top));
            }
#pragma GCC unroll 32
        for (int k = 0; k < block; k++) total[k] = f_add(total[k], f_load(at + k * FL));
    }
    for (int k = 0; k < block; k++) f_store(work->sum + j + k * FL, total[k]);
}

/* Scale stored weights, which are rounded again, at once. */
static void rescale_stored(const Job *job, Work *work, int64_t image) {
    const Formats *formats = work->lesson.formats;
    const Grid *grid = &formats->w;
    const uint64_t stream = stream_of(formats->norm_key, image);
    for (int64_t i = 0; i < job->inputs; i++) {
        float *row = work->lesson.w + i * job->padded;
        freshen(job, work->factor, row, 0);
        for (int64_t j = 0; j < job->padded; j += FL)
            f_store(row + j, f_on_grid(grid, f_load(row + j), stream, (uint64_t)(i * job->neurons + j)));
    }
    for (int64_t j = 0; j < job->padded; j++) work->factor[j] = 1.0f;
}

/* Find the factors that bring each neuron's weights to their norm; rows take them when they are next used. */
static void normalize(const Job *job, Work *work, int64_t image) {
    const Formats *formats = work->lesson.formats;
    const float *sum = work->sum;
    int64_t j = 0;
    for (; j + BLOCK * FL <= job->padded; j += BLOCK * FL) total_block(job, work, j, BLOCK);
    for (; j + 4 * FL <= job->padded; j += 4 * FL) total_block(job, work, j, 4);
    for (; j < job->padded; j += FL) total_block(job, work, j, 1);
    for (j = 0; j < job->padded; j++) work->factor[j] = sum[j] == 0.0f ? 1.0f : job->norm / sum[j];
    if (is_stored(formats)) rescale_stored(job, work, image);
    memset(work->stale, 1, (size_t)job->inputs);
}

/* Raise the thresholds of the neurons that reached them. */
static void adapt(const Job *job, Cell *cell, int crossed, int64_t draw) {
    const Formats *formats = cell->formats;
    const uint64_t stream = stream_of(formats->Vth.key, draw);
    for (int c = 0; c < crossed; c++) {
        int32_t j = cell->crossed[c];
        if (!formats->Vth.there) {
            cell->theta[j] = cell->theta[j] + job->theta_plus;
            continue;
        }
        double raised = cell->fixed[j] + formats->threshold + formats->theta_plus;
        raised = code_of(&formats->Vth, raised, stream, (uint64_t)j) * formats->Vth.step;
        cell->fixed[j] = raised - formats->threshold;
        set_firing(cell, j, raised);
    }
}

/* One step of the neurons; returns who spikes, or -1. */
static int64_t advance(const Job *job, Work *work, int64_t t, int64_t draw) {
    Cell *cell = &work->cell;
    const float *sum = work->sum;
    const double *wide = work->is_wide ? work->wide : NULL;
    const int fading = !cell->formats->Vth.there;
    int crossed;
    if (cell->formats->g.there) step_g(job, cell, sum, wide, draw);
    if (!cell->formats->V.there) {
        crossed = fading ? step_float(job, cell, sum, cell->theta, t, 1) : step_float(job, cell, sum, NULL, t, 0);
    } else {
        if (fading)
            for (int64_t j = 0; j < job->padded; j++) {
                cell->theta[j] = cell->theta[j] * job->theta_decay;
                cell->Firing[j] = (double)(cell->theta[j] + job->threshold) * cell->formats->V.scale;
            }
        crossed = step_grid(job, cell, sum, wide, t, draw);
    }
    adapt(job, cell, crossed, draw);
    return fire(job, cell, crossed, t);
}

static void train_one(const Job *job, Work *work, int64_t number, int32_t *counts, const Record *record,
                      int64_t image) {
    forget(job, work);
    for (int64_t t = 0; t < job->steps; t++) {
        const int64_t draw = number * job->steps + t;
        int64_t spike = advance(job, work, t, draw);
        if (spike >= 0) counts[spike]++;
        if (record) note(job, record, &work->cell, image, t);
        if (t % STRIP == 0) encode(job, &work->source, t / STRIP, work->list, work->count);
        learn(job, work, t, spike, draw);
    }
    normalize(job, work, number);
}

const char *stdp_lanes(void) { return LANES; }

/* Train on n images (or given spikes), of which the first has the given number, changing the weights (inputs, padded)
 * and theta in place: `fading` floats, or where thresholds are quantized `fixed` doubles, (padded). Counts of spikes
 * are added to counts (n, neurons), vanished and updates to tally; record may be NULL. */
void stdp_train(const Job *job, const Formats *formats, const uint8_t *inputs, int64_t n, int64_t number, float *w,
                void *theta, int32_t *counts, int64_t *tally, const Record *record, char *base) {
    const int64_t size = job->inputs * (job->coding == GIVEN ? job->steps : 1);
    Room room = {base, 0};
    Work work;
    lay_out(job, formats, &room, &work);
    work.cell.formats = work.lesson.formats = formats;
    work.lesson.job = job;
    work.lesson.w = w;
    work.lesson.pre = work.pre;
    work.lesson.block = work.block;
    work.lesson.vanished = work.lesson.updates = 0;
    work.cell.theta = theta;
    work.cell.fixed = theta;
    for (int64_t j = 0; j < job->padded; j++) {
        work.factor[j] = 1.0f;
        if (formats->Vth.there) set_firing(&work.cell, j, work.cell.fixed[j] + formats->threshold);
        else if (formats->V.there) work.cell.Firing[j] = HUGE_VAL;
    }
    memset(work.stale, 1, (size_t)job->inputs);
    for (int64_t image = 0; image < n; image++) {
        open_source(job, &work.source, inputs + image * size);
        train_one(job, &work, number + image, counts + image * job->neurons, record, image);
    }
    for (int64_t i = 0; i < job->inputs; i++)
        if (work.stale[i]) freshen(job, work.factor, w + i * job->padded, 0);
    tally[0] += work.lesson.vanished;
    tally[1] += work.lesson.updates;
}
