// The files of the folder: words in hexadecimal, and program.txt.
#pragma once

#include <array>
#include <fstream>
#include <initializer_list>
#include <iomanip>
#include <sstream>

#include "line.h"

using Words = std::vector<uint32_t>;
constexpr uint64_t kMost = 0xffffffff, kMostCores = 256;
constexpr unsigned kMemories = 6;  // of a core; number 0 are the registers

// A map of spikes, or of bit-planes of an input: [sample][step][plane][y][x][word].
struct Buffer {
    size_t samples, steps, planes, height, width, words;
    std::string place, name;
    bool input;
    size_t writer;  // layer that writes it; none: kNobody
    Words data;

    uint32_t& at(size_t sample, size_t step, size_t plane, size_t y, size_t x, size_t word) {
        return data[((((sample * steps + step) * planes + plane) * height + y) * width + x) * words + word];
    }
};
constexpr size_t kNobody = SIZE_MAX;

// Neurons and what is expected of them.
struct Layer {
    unsigned core;
    bool readout;
    size_t channels, height, width;
    size_t buffer;  // that its spikes go to; none for a readout
    size_t commands;
    std::string name, folder;
    Words rows, fired, words;
};

struct Program {
    size_t timesteps = 0, samples = 0;
    std::vector<std::array<size_t, kMemories>> cores;  // words that each memory holds
    std::vector<Buffer> buffers;
    std::vector<Layer> layers;
};

inline std::string numbered(const char* kind, size_t index) {
    std::ostringstream name;
    name << kind << std::setw(2) << std::setfill('0') << index;
    return name.str();
}

// A product, or the largest number where it does not fit: no file has so many words.
inline size_t times(std::initializer_list<size_t> sizes) {
    size_t product = 1;
    for (const size_t size : sizes)
        if (__builtin_mul_overflow(product, size, &product)) return SIZE_MAX;
    return product;
}

inline std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    if (!file.is_open() || file.bad()) throw BadFile("cannot read " + path);
    return lines;
}

// Reads the words of a file, one per line.
inline Words read_hex(const std::string& path, size_t wanted) {
    Words words;
    for (std::string line : lines_of(path)) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (line.size() != 8 || line.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
            throw BadFile(path + ", line " + std::to_string(words.size() + 1) + ": the word is \"" + line +
                          "\"; it must be 8 hexadecimal digits");
        words.push_back(static_cast<uint32_t>(std::stoul(line, nullptr, 16)));
    }
    if (words.size() != wanted)
        throw BadFile(path + " holds " + std::to_string(words.size()) + " words; it must hold " +
                      std::to_string(wanted));
    return words;
}

inline void must_be_name(const Line& line, const std::string& word) {
    if (word.empty() || word.find('/') != std::string::npos) line.refuse("FILE", word, "a name without /");
}

// Reads program.txt and all that it names but the commands.
class ProgramReader {
   public:
    explicit ProgramReader(const std::string& folder) : folder_(folder), path_(folder + "/program.txt") {}

    Program read() {
        size_t number = 0;
        for (const std::string& text : lines_of(path_)) {
            Line line(path_, ++number, text);
            if (!line.says_nothing()) take(line);
        }
        if (!sizes_) throw BadFile(path_ + " has no line \"program\"; it must begin with one");
        for (size_t i = 0; i < 3; ++i)
            if (found()[i] != stated_[i])
                throw BadFile(path_ + " has " + std::to_string(found()[i]) + " lines \"" + kKinds[i] +
                              "\"; they must be " + std::to_string(stated_[i]) + ", as its line \"program\" says");
        for (const Buffer& b : program_.buffers)
            if (!b.input && b.writer == kNobody) throw BadFile(b.place + ": no layer writes the map; one must");
        return std::move(program_);
    }

   private:
    void take(Line& line) {
        if ((line.kind() == "program") == sizes_)
            line.refuse("the line", line.kind(), sizes_ ? "one of core, buffer, layer" : "program, which comes first");
        if (line.kind() == "program") return sizes(line);
        if (line.kind() == "core") return core(line);
        if (line.kind() == "buffer") return buffer(line);
        if (line.kind() == "layer") return layer(line);
        line.refuse("the line", line.kind(), "one of core, buffer, layer");
    }

    void sizes(Line& line) {
        line.expect("T S CORES BUFFERS LAYERS");
        sizes_ = true;
        program_.timesteps = line.number("T", 1, kMost);
        program_.samples = line.number("S", 1, kMost);
        stated_[0] = line.number("CORES", 1, kMostCores);
        stated_[1] = line.number("BUFFERS", 1, kMost);
        stated_[2] = line.number("LAYERS", 1, kMost);
    }

    void core(Line& line) {
        line.expect("WEIGHTS THRESHOLDS BIASES SPIKES MULTIPLIERS");
        std::array<size_t, kMemories> sizes{};
        for (unsigned memory = 1; memory < kMemories; ++memory)
            sizes[memory] = line.number("the size of a memory", memory == kMemories - 1 ? 0 : 1, 1 << 24);
        program_.cores.push_back(sizes);
    }

    void buffer(Line& line) {
        line.expect("STEPS PLANES HEIGHT WIDTH WORDS FILE NAME");
        Buffer b{};
        b.samples = program_.samples;
        b.steps = line.number("STEPS", 1, kMost);
        b.planes = line.number("PLANES", 1, kMost);
        b.height = line.number("HEIGHT", 1, kMost);
        b.width = line.number("WIDTH", 1, kMost);
        b.words = line.number("WORDS", 1, kMost);
        const std::string& file = line.word();
        must_be_name(line, file);
        b.place = line.place();
        b.name = line.word();
        b.input = file != "-";
        b.writer = kNobody;
        if (b.input && b.steps != 1 && b.steps != program_.timesteps)
            line.refuse("STEPS", std::to_string(b.steps), "1 or " + std::to_string(program_.timesteps));
        if (b.input) b.data = read_hex(folder_ + "/" + file, size(b));
        program_.buffers.push_back(std::move(b));
    }

    void layer(Line& line) {
        line.expect("CORE spiking|readout CHANNELS HEIGHT WIDTH BUFFER COMMANDS NAME");
        if (program_.cores.empty()) line.refuse("the line", "layer", "behind those of the cores");
        if (program_.buffers.empty()) line.refuse("the line", "layer", "behind those of the buffers");
        Layer l{};
        l.core = static_cast<unsigned>(line.number("CORE", 0, program_.cores.size() - 1));
        const std::string& neurons = line.word();
        l.readout = neurons == "readout";
        if (!l.readout && neurons != "spiking") line.refuse("the kind of neurons", neurons, "spiking or readout");
        l.channels = line.number("CHANNELS", 1, kMost);
        l.height = line.number("HEIGHT", 1, kMost);
        l.width = line.number("WIDTH", 1, kMost);
        l.folder = folder_ + "/" + numbered("layer", program_.layers.size());
        const size_t outputs = times({program_.samples, l.height, l.width, program_.timesteps});
        if (l.readout) {
            const std::string& none = line.word();
            if (none != "-1") line.refuse("BUFFER of a readout", none, "-1");
        } else {
            l.buffer = line.number("BUFFER", 0, program_.buffers.size() - 1);
            Buffer& to = program_.buffers[l.buffer];
            const bool fits = to.steps == program_.timesteps && to.planes == 1 && to.words == (l.channels + 31) / 32;
            if (to.input || to.writer != kNobody || !fits)
                line.refuse("BUFFER", std::to_string(l.buffer), "a map of its own, of its spikes at all timesteps");
            to.writer = program_.layers.size();
            l.fired = read_hex(l.folder + "/fired.hex", times({outputs, to.words}));
            l.words = read_hex(l.folder + "/words.hex", size(to));
            to.data.resize(l.words.size());
        }
        l.commands = line.number("COMMANDS", 1, kMost);
        l.name = line.word();
        l.rows = read_hex(l.folder + "/rows.hex", times({outputs, l.channels}));
        program_.layers.push_back(std::move(l));
    }

    static size_t size(const Buffer& b) { return times({b.samples, b.steps, b.planes, b.height, b.width, b.words}); }

    std::array<size_t, 3> found() const { return {program_.cores.size(), program_.buffers.size(), program_.layers.size()}; }

    static constexpr const char* kKinds[] = {"core", "buffer", "layer"};
    std::string folder_, path_;
    Program program_;
    bool sizes_ = false;
    std::array<size_t, 3> stated_{};
};
