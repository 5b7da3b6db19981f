/* Training: images one after the other, learning at every step. */
#include "encode.h"
#include "plasticity.h"
#include "room.h"
#include "step_float.h"
#include "step_grid.h"
#include "sums.h"

typedef struct {
    Cell cell;
    Lesson lesson;
    Source source;
    int32_t *list[STRIP];
    int count[STRIP];
    float *x_post, *factor;
    int32_t *seen, *spiked; /* inputs that spiked in this image; when each last did */
    int seen_count, quiet;  /* quiet: no neuron has spiked in this image */
    float *old;             /* of this step's inputs: their weight to the neuron that spikes, before the step */
    uint8_t *stale;         /* rows that await the factors of the last normalisation and the clamp */
} Work;

static void lay_out(const Job *job, Room *room, Work *work) {
    const int64_t line = job->padded * (int64_t)sizeof(double);
    take_source(job, room, &work->source);
    take_lists(job, room, work->list, STRIP);
    take_cell(job, room, &work->cell);
    take_shared(job, room, &work->cell);
    work->lesson.sum = take(room, line);
    work->lesson.wide = take(room, line);
    work->x_post = take(room, line);
    work->factor = take(room, line);
    work->seen = take(room, job->inputs * (int64_t)sizeof(int32_t));
    work->spiked = take(room, job->inputs * (int64_t)sizeof(int32_t));
    work->old = take(room, job->inputs * (int64_t)sizeof(float));
    work->stale = take(room, job->inputs);
}

int64_t stdp_train_room(const Job *job) {
    Room room = {0, 0};
    Work work;
    lay_out(job, &room, &work);
    return room.used;
}

/* Bring a row up to date: the normalisation after the last image, then the clamp of this image's first step. */
INLINE void freshen(const Job *job, Work *work, float *row, const int clamp) {
    const F none = f_set(0.0f), top = f_set(job->w_max);
    for (int64_t j = 0; j < job->padded; j += FL) {
        F w = f_mul(f_load(row + j), f_load(work->factor + j));
        f_store(row + j, clamp ? f_min(f_max(w, none), top) : w);
    }
}

static void meet(const Job *job, Work *work, int64_t t) {
    for (int r = 0; r < work->lesson.rows; r++) {
        int32_t i = work->lesson.row[r];
        if (work->stale[i]) {
            work->stale[i] = 0;
            work->seen[work->seen_count++] = i;
            if (t) freshen(job, work, work->lesson.w + i * job->padded, 1);
            else freshen(job, work, work->lesson.w + i * job->padded, 0);
        }
        work->spiked[i] = (int32_t)t;
    }
}

/* Neuron j's weights to this step's inputs are as before the step in `old`, and as if j had not spiked in w: teach
 * them anew, and sum them. */
static void reward_arrivals(const Job *job, Work *work, int64_t j) {
    Lesson *lesson = &work->lesson;
    const Formats *formats = lesson->formats;
    const float pre = work->x_post[j] * job->eta_pre;
    double wide = 0.0;
    float sum = 0.0f;
    for (int r = 0; r < lesson->rows; r++) {
        const uint64_t e = (uint64_t)(lesson->row[r] * job->neurons + j);
        float *at = lesson->w + lesson->row[r] * job->padded + j;
        float now = learned(job, work->old[r], pre, job->eta_post);
        if (formats->w.there && formats->stored) {
            kept(lesson, work->old[r], learned(job, work->old[r], pre, 0.0f), e, -1);
            now = kept(lesson, work->old[r], now, e, 1);
        }
        *at = now;
        sum = sum + now;
        if (formats->w.there)
            wide += formats->stored ? (double)now
                                    : code_of(&formats->w, (double)now, lesson->stream, e) * formats->w.step;
    }
    lesson->wide[j] = wide;
    lesson->sum[j] = formats->w.there ? (float)wide : sum;
}

/* The spike of neuron j at step t strengthens the weights of all inputs seen. */
static void reward(const Job *job, Work *work, int64_t j, int64_t t) {
    Lesson *lesson = &work->lesson;
    const int stored = lesson->formats->w.there && lesson->formats->stored;
    for (int s = 0; s < work->seen_count; s++) {
        int32_t i = work->seen[s];
        if (work->spiked[i] == t) continue;
        float *at = lesson->w + i * job->padded + j;
        float now = learned(job, *at, 0.0f, job->trace[t - work->spiked[i]] * job->eta_post);
        *at = stored ? kept(lesson, *at, now, (uint64_t)(i * job->neurons + j), 1) : now;
    }
    if (stored && !t) /* the first clamp is an update of the whole column */
        for (int64_t i = 0; i < job->inputs; i++) {
            float w = lesson->w[i * job->padded + j];
            if (work->stale[i] && clamped(job, w) != w) lesson->updates++;
        }
    reward_arrivals(job, work, j);
}

static void learn(const Job *job, Work *work, int64_t t, int64_t spike, int64_t draw) {
    Lesson *lesson = &work->lesson;
    const Formats *formats = lesson->formats;
    const F fade = f_set(job->trace_decay);
    lesson->row = work->list[t % STRIP];
    lesson->rows = work->count[t % STRIP];
    meet(job, work, t);
    if (work->quiet && spike < 0 && t && !formats->w.there) { /* traces of neurons are 0: no weight changes */
        sum_rows(lesson->w, job->padded, lesson->row, lesson->rows, lesson->sum);
        return;
    }
    for (int64_t j = 0; j < job->padded; j += FL) f_store(work->x_post + j, f_mul(f_load(work->x_post + j), fade));
    lesson->stream = stream_of(formats->w.key, formats->stored ? draw : draw + 1);
    if (spike < 0) {
        learn_rows(lesson);
        return;
    }
    for (int r = 0; r < lesson->rows; r++) work->old[r] = lesson->w[lesson->row[r] * job->padded + spike];
    work->x_post[spike] = 1.0f;
    work->quiet = 0;
    learn_rows(lesson);
    reward(job, work, spike, t);
}

INLINE void total_block(const Job *job, Work *work, int64_t j, const int block) {
    const F none = f_set(0.0f), top = f_set(job->w_max);
    F total[BLOCK];
    for (int k = 0; k < block; k++) total[k] = none;
    for (int64_t i = 0; i < job->inputs; i++) {
        float *at = work->lesson.w + i * job->padded + j;
        if (work->stale[i]) {
#pragma GCC unroll 32
            for (int k = 0; k < block; k++) {
                F now = f_mul(f_load(at + k * FL), f_load(work->factor + j + k * FL));
                now = f_min(f_max(now, none), top);
                f_store(at + k * FL, now);
                total[k] = f_add(total[k], now);
            }
        } else {
#pragma GCC unroll 32
            for (int k = 0; k < block; k++) total[k] = f_add(total[k], f_load(at + k * FL));
        }
    }
    for (int k = 0; k < block; k++) f_store(work->lesson.sum + j + k * FL, total[k]);
}

/* Scale stored weights, which are rounded again, at once. */
static void rescale_stored(const Job *job, Work *work, int64_t image) {
    const Formats *formats = work->lesson.formats;
    const Grid *grid = &formats->w;
    const uint64_t stream = stream_of(formats->norm_key, image);
    const F step = f_set((float)grid->step);
    for (int64_t i = 0; i < job->inputs; i++) {
        float *row = work->lesson.w + i * job->padded;
        freshen(job, work, row, 0);
        if (grid->wrap) {
            for (int64_t j = 0; j < job->neurons; j++)
                row[j] = (float)(code_of(grid, (double)row[j], stream, (uint64_t)(i * job->neurons + j)) * grid->step);
        } else {
            for (int64_t j = 0; j < job->padded; j += FL) {
                const uint64_t e = (uint64_t)(i * job->neurons + j);
                F w = f_load(row + j);
                F code = grid->rounding == DRAWN ? f_code(grid, w, DRAWN, stream, e) : f_code(grid, w, NEAREST, stream, e);
                f_store(row + j, f_mul(code, step));
            }
        }
    }
    for (int64_t j = 0; j < job->padded; j++) work->factor[j] = 1.0f;
}

/* Find the factors that bring each neuron's weights to their norm; rows take them when they are next used. */
static void normalize(const Job *job, Work *work, int64_t image) {
    const Formats *formats = work->lesson.formats;
    const float *sum = work->lesson.sum;
    int64_t j = 0;
    for (; j + BLOCK * FL <= job->padded; j += BLOCK * FL) total_block(job, work, j, BLOCK);
    for (; j + 4 * FL <= job->padded; j += 4 * FL) total_block(job, work, j, 4);
    for (; j < job->padded; j += FL) total_block(job, work, j, 1);
    for (j = 0; j < job->padded; j++) work->factor[j] = sum[j] == 0.0f ? 1.0f : job->norm / sum[j];
    if (formats->w.there && formats->stored) rescale_stored(job, work, image);
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
    const float *sum = work->lesson.sum;
    const double *wide = work->lesson.is_wide ? work->lesson.wide : NULL;
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
    reset_cell(job, &work->cell);
    memset(work->x_post, 0, (size_t)job->padded * sizeof(float));
    memset(work->lesson.sum, 0, (size_t)job->padded * sizeof(float));
    work->lesson.is_wide = 0;
    work->seen_count = 0;
    work->quiet = 1;
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
    lay_out(job, &room, &work);
    work.cell.formats = work.lesson.formats = formats;
    work.lesson.job = job;
    work.lesson.w = w;
    work.lesson.x_post = work.x_post;
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
        if (work.stale[i]) freshen(job, &work, w + i * job->padded, 0);
    tally[0] += work.lesson.vanished;
    tally[1] += work.lesson.updates;
}
