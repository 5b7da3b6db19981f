// C entry points around the simulated core: whole blocks and whole runs per call, never one cycle.
#include <cstdint>
#include <cstring>
#include <memory>

#include "Vmint_core.h"
#include "verilated.h"

namespace {

constexpr int kLanes = 128;
constexpr uint32_t kSelReg = 0, kSelSpike = 4, kRegSumBase = 40;
constexpr int kLaneWords = 4;

struct Simulation {
    VerilatedContext context;
    Vmint_core core{&context};

    Simulation() {
        core.clk_i = 0;
        core.host_we_i = core.host_re_i = 0;
        core.rst_ni = 1;
        core.eval();
        core.rst_ni = 0;
        tick();
        tick();
        core.rst_ni = 1;
        core.eval();
    }
    ~Simulation() { core.final(); }

    void tick() {
        core.clk_i = 1;
        core.eval();
        core.clk_i = 0;
        core.eval();
    }

    void write(uint32_t sel, uint32_t addr, const uint32_t* data, size_t count) {
        core.host_we_i = 1;
        core.host_sel_i = sel;
        for (size_t i = 0; i < count; ++i) {
            core.host_addr_i = (addr + i) & 0xffffff;
            core.host_wdata_i = data[i];
            tick();
        }
        core.host_we_i = 0;
    }

    void read(uint32_t sel, uint32_t addr, uint32_t* data, size_t count) {
        core.host_re_i = 1;
        core.host_sel_i = sel;
        for (size_t i = 0; i < count; ++i) {
            core.host_addr_i = (addr + i) & 0xffffff;
            tick();
            data[i] = core.host_rdata_o;
        }
        core.host_re_i = 0;
    }

    // Starts the core and waits until it is idle; returns the rows put out, or -1 after `limit` cycles.
    int64_t run_until_done(int32_t* rows, uint32_t* fired, uint64_t row_limit, uint64_t limit) {
        const uint32_t start = 1;
        write(kSelReg, 0, &start, 1);
        uint64_t count = 0;
        for (uint64_t cycle = 0; core.busy_o; ++cycle) {
            if (cycle >= limit) return -1;
            tick();
            if (core.row_valid_o) {
                if (rows != nullptr && count < row_limit) {
                    std::memcpy(rows + count * kLanes, &core.row_o[0], kLanes * sizeof(int32_t));
                    std::memcpy(fired + count * kLaneWords, &core.row_fired_o[0], kLaneWords * sizeof(uint32_t));
                }
                ++count;
            }
        }
        return static_cast<int64_t>(count);
    }
};

}  // namespace

extern "C" {

void* mint_new() { return new Simulation; }
void mint_delete(void* simulation) { delete static_cast<Simulation*>(simulation); }

void mint_write(void* simulation, uint32_t sel, uint32_t addr, const uint32_t* data, uint64_t count) {
    static_cast<Simulation*>(simulation)->write(sel, addr, data, count);
}

void mint_read(void* simulation, uint32_t sel, uint32_t addr, uint32_t* data, uint64_t count) {
    static_cast<Simulation*>(simulation)->read(sel, addr, data, count);
}

// Runs the configured pass for each sample: source words in at address 0, destination words out. `rows` and
// `fired` may be null. Sample i keeps partial sums from scratchpad row i * sum_stride on. Returns 0, 1 when a
// sample did not end within `limit` cycles, 2 when it put out another number of rows than `rows_per_sample`.
int mint_run_samples(void* simulation, uint64_t samples, const uint32_t* source, uint64_t source_words,
                     uint32_t* destination, uint32_t destination_addr, uint64_t destination_words, int32_t* rows,
                     uint32_t* fired, uint64_t rows_per_sample, uint64_t limit, uint32_t sum_stride) {
    auto* sim = static_cast<Simulation*>(simulation);
    for (uint64_t sample = 0; sample < samples; ++sample) {
        const uint32_t sum_base = static_cast<uint32_t>(sample) * sum_stride;
        sim->write(kSelReg, kRegSumBase, &sum_base, 1);
        sim->write(kSelSpike, 0, source + sample * source_words, source_words);
        int32_t* out = rows == nullptr ? nullptr : rows + sample * rows_per_sample * kLanes;
        uint32_t* spikes = rows == nullptr ? nullptr : fired + sample * rows_per_sample * kLaneWords;
        const int64_t count = sim->run_until_done(out, spikes, rows_per_sample, limit);
        if (count < 0) return 1;
        if (static_cast<uint64_t>(count) != rows_per_sample) return 2;
        if (destination_words)
            sim->read(kSelSpike, destination_addr, destination + sample * destination_words, destination_words);
    }
    return 0;
}
}
