// Runs the commands of every layer on the simulated cores and compares what they put out with what is expected.
// Exit code 0: identical. 1: something differs; the first difference is printed. 2: a file is missing or damaged.
#include <cstdio>
#include <exception>

#include "core.h"
#include "files.h"

namespace {

// The first thing that is not as expected.
struct Difference : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Bench {
   public:
    explicit Bench(const std::string& folder) : program_(read_program(folder)) {}

    void run() {
        for (Layer& layer : program_.layers) {
            layer_ = &layer;
            cores_.choose(layer.core);
            const std::string path = layer.folder + "/commands.txt";
            std::ifstream file = open_file(path);
            std::string line;
            for (size_t number = 1; std::getline(file, line); ++number) {
                std::istringstream words(line);
                std::string command;
                if (!(words >> command) || command[0] == '#') continue;
                if (!execute(command, words) || !words)
                    throw BadFile(path + ", line " + std::to_string(number) + ": cannot read \"" + line + "\"");
            }
            check_complete(layer);
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
    bool execute(const std::string& command, std::istringstream& words) {
        if (command == "load") return load(words);
        if (command == "set") return set(words);
        if (command == "gather") return gather(words);
        if (command == "ones") return ones(words);
        if (command == "pass") return pass(words);
        if (command == "run") return run_rows(words);
        if (command == "scatter") return scatter(words);
        return false;
    }

    // load MEMORY ADDRESS FILE: all words of a file, from an address on.
    bool load(std::istringstream& words) {
        unsigned memory;
        uint32_t address;
        std::string file;
        if (!(words >> memory >> address >> file)) return false;
        cores_.write(memory, address, read_hex(layer_->folder + "/" + file));
        return true;
    }

    // set REGISTER VALUE ...
    bool set(std::istringstream& words) {
        uint32_t address, value;
        while (words >> address) {
            if (!(words >> value)) return false;
            cores_.write(kRegisters, address, {value});
        }
        words.clear();
        return true;
    }

    // gather BUFFER SAMPLE STEPS Y HEIGHT X WIDTH WORD WORDS: part of a map into the spike memory, from 0 on.
    bool gather(std::istringstream& words) {
        size_t index, sample, steps, y, height, x, width, word, count;
        if (!(words >> index >> sample >> steps >> y >> height >> x >> width >> word >> count)) return false;
        Buffer& from = program_.buffers.at(index);
        Words source;
        for (size_t t = 0; t < steps; ++t)
            for (size_t plane = 0; plane < from.planes; ++plane)
                for (size_t row = y; row < y + height; ++row)
                    for (size_t column = x; column < x + width; ++column)
                        for (size_t w = word; w < word + count; ++w)
                            source.push_back(from.at(sample, t, plane, row, column, w));
        cores_.write(kSpikes, 0, source);
        return true;
    }

    // ones COUNT: a spike everywhere.
    bool ones(std::istringstream& words) {
        size_t count;
        if (!(words >> count)) return false;
        cores_.write(kSpikes, 0, Words(count, 0xffffffff));
        return true;
    }

    // pass LIMIT: a run that keeps partial sums and puts out no row.
    bool pass(std::istringstream& words) {
        uint64_t limit;
        if (!(words >> limit)) return false;
        start(limit, 0);
        return true;
    }

    // run LIMIT SAMPLE TILE TILES Y HEIGHT X WIDTH: a run of all timesteps of a block of outputs.
    bool run_rows(std::istringstream& words) {
        uint64_t limit;
        size_t sample, tile, tiles, y, height, x, width;
        if (!(words >> limit >> sample >> tile >> tiles >> y >> height >> x >> width)) return false;
        const std::vector<Row> rows = start(limit, tiles * height * width * program_.timesteps);
        auto row = rows.begin();
        for (size_t first = tile * kLanes; first < (tile + tiles) * kLanes; first += kLanes)
            for (size_t i = y; i < y + height; ++i)
                for (size_t j = x; j < x + width; ++j)
                    for (size_t t = 0; t < program_.timesteps; ++t) compare(*row++, sample, t, first, i, j);
        return true;
    }

    // scatter SAMPLE ADDRESS Y HEIGHT X WIDTH WORD WORDS: what the core wrote goes into the layer's map.
    bool scatter(std::istringstream& words) {
        size_t sample, y, height, x, width, word, count;
        uint32_t address;
        if (!(words >> sample >> address >> y >> height >> x >> width >> word >> count)) return false;
        Buffer& to = program_.buffers.at(layer_->buffer);
        const Words got = cores_.read(kSpikes, address, to.steps * height * width * count);
        auto next = got.begin();
        for (size_t t = 0; t < to.steps; ++t)
            for (size_t i = y; i < y + height; ++i)
                for (size_t j = x; j < x + width; ++j)
                    for (size_t w = word; w < word + count; ++w) {
                        uint32_t& place = to.at(sample, t, 0, i, j, w);
                        const uint32_t expected = layer_->words[&place - to.data.data()];
                        place = *next++;
                        ++words_;
                        if (place != expected) differ_in_word(sample, t, w, i, j, expected, place, "spike in memory");
                    }
        return true;
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
        if (first >= l.channels || y >= l.height || x >= l.width || sample >= program_.samples)
            throw BadFile("a command leaves the outputs of \"" + l.name + "\"");
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

    void check_complete(const Layer& l) {
        const size_t values = program_.samples * l.height * l.width * program_.timesteps * l.channels;
        expected_values_ += values;
        if (potentials_ + outputs_ != expected_values_)
            throw Difference(here() + ": " + std::to_string(potentials_ + outputs_) + " values put out so far, expected " +
                             std::to_string(expected_values_));
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
    Cores cores_;
    Layer* layer_ = nullptr;
    size_t spikes_ = 0, potentials_ = 0, outputs_ = 0, words_ = 0, expected_values_ = 0;
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
