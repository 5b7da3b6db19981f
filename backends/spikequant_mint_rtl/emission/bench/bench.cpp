// Runs the commands of every layer on the simulated cores and compares what they put out with what is expected.
// Exit code 0: identical. 1: something differs; the first difference is printed. 2: a file is missing or damaged.
#include <cstdio>
#include <exception>

#include "commands.h"
#include "core.h"

namespace {

// The first thing that is not as expected.
struct Difference : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Bench {
   public:
    // Reads and checks the whole folder, before any core runs.
    explicit Bench(const std::string& folder) : program_(ProgramReader(folder).read()) {
        for (size_t index = 0; index < program_.layers.size(); ++index)
            commands_.push_back(CommandReader(program_, index, images_).read());
    }

    void run() {
        for (size_t index = 0; index < program_.layers.size(); ++index) {
            layer_ = &program_.layers[index];
            cores_.choose(layer_->core);
            for (const Command& command : commands_[index]) execute(command);
        }
    }

    std::string summary() {
        std::ostringstream text;
        text << "identical: " << spikes_ << " spikes, " << potentials_ << " potentials, " << outputs_ << " outputs and "
             << words_ << " words of spikes of " << program_.layers.size() << " layers compared, " << cycles()
             << " cycles";
        return text.str();
    }

   private:
    void execute(const Command& c) {
        switch (c.kind) {
            case Kind::load: return cores_.write(c.memory, static_cast<uint32_t>(c.address), *c.image);
            case Kind::set:
                for (const auto& [name, value] : c.registers) cores_.write(kRegisters, name, {value});
                return;
            case Kind::gather: return gather(c);
            case Kind::ones: return cores_.write(kSpikes, 0, Words(c.count, 0xffffffff));
            case Kind::pass: start(c.limit, 0); return;
            case Kind::run: return run_rows(c);
            case Kind::scatter: return scatter(c);
        }
    }

    // Part of a map into the spike memory, from 0 on.
    void gather(const Command& c) {
        Buffer& from = program_.buffers[c.buffer];
        Words source;
        for (size_t t = 0; t < c.steps; ++t)
            for (size_t plane = 0; plane < from.planes; ++plane)
                for (size_t y = c.y; y < c.y + c.height; ++y)
                    for (size_t x = c.x; x < c.x + c.width; ++x)
                        for (size_t w = c.first; w < c.first + c.count; ++w)
                            source.push_back(from.at(c.sample, t, plane, y, x, w));
        cores_.write(kSpikes, 0, source);
    }

    // A run of all timesteps of a block of outputs.
    void run_rows(const Command& c) {
        const std::vector<Row> rows = start(c.limit, c.count * c.height * c.width * program_.timesteps);
        auto row = rows.begin();
        for (size_t tile = c.first; tile < c.first + c.count; ++tile)
            for (size_t y = c.y; y < c.y + c.height; ++y)
                for (size_t x = c.x; x < c.x + c.width; ++x)
                    for (size_t t = 0; t < program_.timesteps; ++t) compare(*row++, c.sample, t, tile * kLanes, y, x);
    }

    // What the core wrote goes into the layer's map.
    void scatter(const Command& c) {
        Buffer& to = program_.buffers[layer_->buffer];
        const Words got =
            cores_.read(kSpikes, static_cast<uint32_t>(c.address), to.steps * c.height * c.width * c.count);
        auto next = got.begin();
        for (size_t t = 0; t < to.steps; ++t)
            for (size_t y = c.y; y < c.y + c.height; ++y)
                for (size_t x = c.x; x < c.x + c.width; ++x)
                    for (size_t w = c.first; w < c.first + c.count; ++w) {
                        uint32_t& place = to.at(c.sample, t, 0, y, x, w);
                        const uint32_t expected = layer_->words[&place - to.data.data()], word = *next++;
                        place = word;
                        ++words_;
                        if (word != expected) differ_in_word(c.sample, t, w, y, x, expected, word, "spike in memory");
                    }
    }

    std::vector<Row> start(uint64_t limit, size_t expected) {
        std::vector<Row> rows;
        if (!cores_.run(limit, rows))
            throw Difference(here() + ": the core did not end within " + std::to_string(limit) + " cycles");
        if (rows.size() != expected)
            throw Difference(here() + ": the core put out " + std::to_string(rows.size()) + " rows, expected " +
                             std::to_string(expected));
        return rows;
    }

    void compare(const Row& row, size_t sample, size_t t, size_t first, size_t y, size_t x) {
        const Layer& l = *layer_;
        const size_t place = ((sample * l.height + y) * l.width + x) * program_.timesteps + t;
        const size_t lanes = l.channels - first < kLanes ? l.channels - first : kLanes;
        const size_t all_words = (l.channels + 31) / 32;
        for (size_t lane = 0; lane < lanes; ++lane) {
            const auto expected = static_cast<int32_t>(l.rows[place * l.channels + first + lane]);
            if (row.values[lane] != expected)
                differ(sample, t, first + lane, y, x, l.readout ? "output" : "potential", expected, row.values[lane]);
        }
        (l.readout ? outputs_ : potentials_) += lanes;
        if (l.readout) return;
        for (size_t w = 0; w < (lanes + 31) / 32; ++w) {
            const uint32_t expected = l.fired[place * all_words + first / 32 + w];
            if (row.fired[w] != expected)
                differ_in_word(sample, t, first / 32 + w, y, x, expected, row.fired[w], "spike");
        }
        spikes_ += lanes;
    }

    std::string here() const { return "layer \"" + layer_->name + "\" (" + numbered("layer", layer_ - program_.layers.data()) + ")"; }

    [[noreturn]] void differ(size_t sample, size_t t, size_t channel, size_t y, size_t x, const char* what,
                             int64_t expected, int64_t got) const {
        std::ostringstream text;
        text << here() << ", sample " << sample << ", timestep " << t << ", output (" << channel << ", " << y << ", "
             << x << "): " << what << " expected " << expected << ", got " << got;
        throw Difference(text.str());
    }

    [[noreturn]] void differ_in_word(size_t sample, size_t t, size_t word, size_t y, size_t x, uint32_t expected,
                                     uint32_t got, const char* what) const {
        unsigned bit = 0;
        while (!((expected ^ got) >> bit & 1)) ++bit;
        differ(sample, t, word * 32 + bit, y, x, what, expected >> bit & 1, got >> bit & 1);
    }

    // The cores count their own busy cycles, from reset on.
    uint64_t cycles() {
        unsigned last = 0;
        for (const Layer& l : program_.layers)
            if (l.core > last) last = l.core;
        uint64_t total = 0;
        for (unsigned core = 0; core <= last; ++core) {
            cores_.choose(core);
            const Words pair = cores_.read(kRegisters, kCounters, 2);
            total += pair[0] | static_cast<uint64_t>(pair[1]) << 32;
        }
        return total;
    }

    Program program_;
    std::map<std::string, Words> images_;
    std::vector<std::vector<Command>> commands_;
    Cores cores_;
    Layer* layer_ = nullptr;
    size_t spikes_ = 0, potentials_ = 0, outputs_ = 0, words_ = 0;
};

}  // namespace

int main(int count, char** words) {
    try {
        Bench bench(count > 1 ? words[1] : ".");
        bench.run();
        std::printf("%s\n", bench.summary().c_str());
        return 0;
    } catch (const Difference& error) {
        std::printf("different: %s\n", error.what());
        return 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 2;
    }
}
