// The files of the folder: words in hexadecimal, and program.txt.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// A file is missing or damaged.
struct BadFile : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using Words = std::vector<uint32_t>;

// A map of spikes, or of bit-planes of an input: [sample][step][plane][y][x][word].
struct Buffer {
    size_t samples, steps, planes, height, width, words;
    std::string name;
    Words data;

    size_t size() const { return samples * steps * planes * height * width * words; }
    uint32_t& at(size_t sample, size_t step, size_t plane, size_t y, size_t x, size_t word) {
        if (sample >= samples || step >= steps || plane >= planes || y >= height || x >= width || word >= words)
            throw BadFile("a command leaves the map of \"" + name + "\"");
        return data[((((sample * steps + step) * planes + plane) * height + y) * width + x) * words + word];
    }
};

// Neurons and what is expected of them.
struct Layer {
    unsigned core;
    bool readout;
    size_t channels, height, width;
    int buffer;  // that its spikes go to; -1: a readout
    std::string name, folder;
    Words rows, fired, words;
};

struct Program {
    size_t timesteps = 0, samples = 0;
    std::vector<Buffer> buffers;
    std::vector<Layer> layers;
};

inline std::string numbered(const char* kind, size_t index) {
    std::ostringstream name;
    name << kind << std::setw(2) << std::setfill('0') << index;
    return name.str();
}

inline std::ifstream open_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw BadFile("cannot read " + path);
    return file;
}

// Reads all words of a file; `wanted` of them, or any number.
inline Words read_hex(const std::string& path, size_t wanted = SIZE_MAX) {
    std::ifstream file = open_file(path);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    Words words;
    for (const char* at = text.c_str(); *at;) {
        char* end;
        errno = 0;
        const unsigned long word = std::strtoul(at, &end, 16);
        if (end == at || errno || word > 0xffffffffUL || (*end && *end != '\n' && *end != '\r'))
            throw BadFile(path + ": word " + std::to_string(words.size()) + " is no number of 8 hexadecimal digits");
        words.push_back(static_cast<uint32_t>(word));
        for (at = end; *at == '\n' || *at == '\r';) ++at;
    }
    if (wanted != SIZE_MAX && words.size() != wanted)
        throw BadFile(path + " holds " + std::to_string(words.size()) + " words instead of " + std::to_string(wanted));
    return words;
}

// Reads program.txt and what is expected of each layer.
inline Program read_program(const std::string& folder) {
    Program program;
    std::ifstream file = open_file(folder + "/program.txt");
    std::string line;
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::string kind;
        if (!(words >> kind) || kind[0] == '#') continue;
        if (kind == "program") {
            words >> program.timesteps >> program.samples;
        } else if (kind == "buffer") {
            Buffer b{};
            b.samples = program.samples;
            std::string from;
            words >> b.steps >> b.planes >> b.height >> b.width >> b.words >> from >> std::quoted(b.name);
            if (words && from != "-") b.data = read_hex(folder + "/" + from, b.size());
            b.data.resize(b.size());
            program.buffers.push_back(b);
        } else if (kind == "layer") {
            Layer l{};
            std::string neurons;
            words >> l.core >> neurons >> l.channels >> l.height >> l.width >> l.buffer >> std::quoted(l.name);
            l.readout = neurons == "readout";
            l.folder = folder + "/" + numbered("layer", program.layers.size());
            program.layers.push_back(l);
        }
        if (!words) throw BadFile(folder + "/program.txt: cannot read \"" + line + "\"");
    }
    for (Layer& l : program.layers) {
        const size_t rows = program.samples * l.height * l.width * program.timesteps;
        l.rows = read_hex(l.folder + "/rows.hex", rows * l.channels);
        if (l.readout) continue;
        if (l.buffer < 0 || static_cast<size_t>(l.buffer) >= program.buffers.size())
            throw BadFile(folder + "/program.txt: layer \"" + l.name + "\" has no buffer");
        l.fired = read_hex(l.folder + "/fired.hex", rows * ((l.channels + 31) / 32));
        l.words = read_hex(l.folder + "/words.hex", program.buffers[l.buffer].size());
    }
    if (program.layers.empty()) throw BadFile(folder + "/program.txt names no layer");
    return program;
}
