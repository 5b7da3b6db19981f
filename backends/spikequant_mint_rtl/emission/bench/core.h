// The simulated cores: one clock cycle, and accesses through the host port.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "Vbench.h"
#include "commands.h"
#include "verilated.h"

constexpr unsigned kLaneWords = kLanes / 32;
constexpr unsigned kRegisters = 0;  // memory of the host port
constexpr unsigned kCommand = 0, kStart = 1, kCounters = 64;

// What the core shows after every step of every neuron: stored potentials (or accumulators), and spikes.
struct Row {
    std::array<int32_t, kLanes> values;
    std::array<uint32_t, kLaneWords> fired;
};

class Cores {
   public:
    Cores() {
        top_.rst_ni = 1;
        top_.eval();
        top_.rst_ni = 0;
        tick();
        tick();
        top_.rst_ni = 1;
        top_.eval();
    }
    ~Cores() { top_.final(); }
    Cores(const Cores&) = delete;
    Cores& operator=(const Cores&) = delete;

    void choose(unsigned core) { top_.core_i = core; }

    void write(unsigned memory, uint32_t address, const std::vector<uint32_t>& words) {
        top_.host_we_i = 1;
        top_.host_sel_i = memory;
        for (const uint32_t word : words) {
            top_.host_addr_i = address++ & 0xffffff;
            top_.host_wdata_i = word;
            tick();
        }
        top_.host_we_i = 0;
    }

    std::vector<uint32_t> read(unsigned memory, uint32_t address, size_t count) {
        std::vector<uint32_t> words(count);
        top_.host_re_i = 1;
        top_.host_sel_i = memory;
        for (uint32_t& word : words) {
            top_.host_addr_i = address++ & 0xffffff;
            tick();
            word = top_.host_rdata_o;
        }
        top_.host_re_i = 0;
        return words;
    }

    // Starts the chosen core and waits until it is idle; returns whether it was so within `limit` cycles.
    bool run(uint64_t limit, std::vector<Row>& rows) {
        write(kRegisters, kCommand, {kStart});
        for (uint64_t cycle = 0; top_.busy_o; ++cycle) {
            if (cycle >= limit) return false;
            tick();
            if (!top_.row_valid_o) continue;
            Row row;
            for (unsigned lane = 0; lane < kLanes; ++lane) row.values[lane] = static_cast<int32_t>(top_.row_o[lane]);
            for (unsigned word = 0; word < kLaneWords; ++word) row.fired[word] = top_.row_fired_o[word];
            rows.push_back(row);
        }
        return true;
    }

   private:
    void tick() {
        top_.clk_i = 1;
        top_.eval();
        top_.clk_i = 0;
        top_.eval();
    }

    VerilatedContext context_;
    Vbench top_{&context_};
};
