// The commands of a layer, read and checked in full before any is executed.
#pragma once

#include <map>

#include "files.h"

constexpr size_t kLanes = 128;
constexpr unsigned kSpikes = 4;             // memory of a core
constexpr uint64_t kLastRegister = 40;      // mint_pkg.sv; register 0 starts a run
constexpr uint64_t kLongest = INT64_MAX;    // cycles

enum class Kind { load, set, gather, ones, pass, run, scatter };

struct Command {
    Kind kind;
    size_t line;
    unsigned memory;                             // load
    uint64_t address;                            // load, scatter
    const Words* image;                          // load
    std::vector<std::pair<uint32_t, uint32_t>> registers;  // set
    size_t buffer, steps;                        // gather
    uint64_t limit;                              // pass, run
    size_t sample, y, height, x, width;          // gather, run, scatter
    size_t first, count;                         // gather, scatter: words; run: tiles; ones: words
};

// Which places of a map were reached; every place has to be reached once.
class Cover {
   public:
    Cover(size_t samples, size_t height, size_t width, size_t depth)
        : height_(height), width_(width), depth_(depth), seen_(samples * height * width * depth) {}

    bool take(const Command& c) {
        for (size_t y = c.y; y < c.y + c.height; ++y)
            for (size_t x = c.x; x < c.x + c.width; ++x)
                for (size_t z = c.first; z < c.first + c.count; ++z) {
                    const size_t place = ((c.sample * height_ + y) * width_ + x) * depth_ + z;
                    if (seen_[place]) return false;
                    seen_[place] = true;
                    ++taken_;
                }
        return true;
    }
    size_t left() const { return seen_.size() - taken_; }

   private:
    size_t height_, width_, depth_, taken_ = 0;
    std::vector<bool> seen_;
};

class CommandReader {
   public:
    CommandReader(const Program& program, size_t index, std::map<std::string, Words>& images)
        : program_(program), layer_(program.layers[index]), index_(index), memories_(program.cores[layer_.core]),
          path_(layer_.folder + "/commands.txt"), images_(images), tiles_((layer_.channels + kLanes - 1) / kLanes),
          outputs_(program.samples, layer_.height, layer_.width, tiles_),
          map_(layer_.readout ? Cover(0, 0, 0, 0) : cover(program.buffers[layer_.buffer])) {}

    std::vector<Command> read() {
        std::vector<Command> commands;
        size_t number = 0;
        for (const std::string& text : lines_of(path_)) {
            Line line(path_, ++number, text);
            if (line.says_nothing()) continue;
            commands.push_back(take(line));
            commands.back().line = number;
        }
        if (commands.size() != layer_.commands)
            throw BadFile(path_ + " holds " + std::to_string(commands.size()) + " commands; it must hold " +
                          std::to_string(layer_.commands));
        if (outputs_.left() || map_.left())
            throw BadFile(path_ + ": " + std::to_string(outputs_.left()) + " rows of outputs and " +
                          std::to_string(map_.left()) + " words of spikes are never asked for; all must be");
        return commands;
    }

   private:
    static Cover cover(const Buffer& b) { return {b.samples, b.height, b.width, b.words}; }

    Command take(Line& line) {
        const std::string& kind = line.kind();
        if (kind == "load") return load(line);
        if (kind == "set") return set(line);
        if (kind == "gather") return gather(line);
        if (kind == "ones") return ones(line);
        if (kind == "pass") return pass(line);
        if (kind == "run") return run(line);
        if (kind == "scatter") return scatter(line);
        line.refuse("the command", kind, "one of load, set, gather, ones, pass, run, scatter");
    }

    Command load(Line& line) {
        line.expect("MEMORY ADDRESS WORDS FILE");
        Command c = {};
        c.kind = Kind::load;
        c.memory = static_cast<unsigned>(line.number("MEMORY", 1, memories_[kMemories - 1] ? 5 : 4));
        c.address = line.number("ADDRESS", 0, memories_[c.memory] - 1);
        const size_t count = line.number("WORDS", 1, memories_[c.memory] - c.address);
        const std::string& name = line.word();
        must_be_name(line, name);
        const std::string path = layer_.folder + "/" + name;
        auto found = images_.find(path);
        if (found == images_.end()) found = images_.emplace(path, read_hex(path, count)).first;
        if (found->second.size() != count)
            line.refuse("WORDS", std::to_string(count), std::to_string(found->second.size()) + ", as " + name + " has");
        c.image = &found->second;
        return c;
    }

    Command set(Line& line) {
        Command c = {};
        c.kind = Kind::set;
        if (line.at_end()) line.expect("REGISTER VALUE ...");
        while (!line.at_end()) {
            const auto name = static_cast<uint32_t>(line.number("REGISTER", 1, kLastRegister));
            if (line.at_end()) throw BadFile(line.place() + ": the last REGISTER has no VALUE; words must be in pairs");
            c.registers.emplace_back(name, static_cast<uint32_t>(line.number("VALUE", 0, kMost)));
        }
        return c;
    }

    Command gather(Line& line) {
        line.expect("BUFFER SAMPLE STEPS Y HEIGHT X WIDTH WORD WORDS");
        Command c = {};
        c.kind = Kind::gather;
        c.buffer = line.number("BUFFER", 0, program_.buffers.size() - 1);
        const Buffer& from = program_.buffers[c.buffer];
        if (!from.input && from.writer >= index_)
            line.refuse("BUFFER", std::to_string(c.buffer), "an input, or written by a layer before this one");
        c.sample = line.number("SAMPLE", 0, program_.samples - 1);
        c.steps = line.number("STEPS", 1, from.steps);
        box(line, c, 0, from.height, from.width);
        words(line, c, from.words);
        spikes(line, 0, times({c.steps, from.planes, c.height, c.width, c.count}));
        return c;
    }

    Command ones(Line& line) {
        line.expect("COUNT");
        Command c = {};
        c.kind = Kind::ones;
        c.count = line.number("COUNT", 0, memories_[kSpikes]);
        return c;
    }

    Command pass(Line& line) {
        line.expect("LIMIT");
        Command c = {};
        c.kind = Kind::pass;
        c.limit = line.number("LIMIT", 1, kLongest);
        return c;
    }

    Command run(Line& line) {
        line.expect("LIMIT SAMPLE TILE TILES Y HEIGHT X WIDTH");
        Command c = {};
        c.kind = Kind::run;
        c.limit = line.number("LIMIT", 1, kLongest);
        c.sample = line.number("SAMPLE", 0, program_.samples - 1);
        c.first = line.number("TILE", 0, tiles_ - 1);
        c.count = line.number("TILES", 1, tiles_ - c.first);
        box(line, c, 1, layer_.height, layer_.width);
        if (!outputs_.take(c)) throw BadFile(line.place() + ": some of the outputs were put out before; each must be once");
        return c;
    }

    Command scatter(Line& line) {
        line.expect("SAMPLE ADDRESS Y HEIGHT X WIDTH WORD WORDS");
        if (layer_.readout) line.refuse("the command", "scatter", "another in a readout, which writes no spikes");
        const Buffer& to = program_.buffers[layer_.buffer];
        Command c = {};
        c.kind = Kind::scatter;
        c.sample = line.number("SAMPLE", 0, program_.samples - 1);
        c.address = line.number("ADDRESS", 0, memories_[kSpikes] - 1);
        box(line, c, 0, to.height, to.width);
        words(line, c, to.words);
        spikes(line, c.address, times({to.steps, c.height, c.width, c.count}));
        if (!map_.take(c)) throw BadFile(line.place() + ": some of the words were taken before; each must be once");
        return c;
    }

    // Y HEIGHT X WIDTH within a map; a part that is all padding is empty.
    static void box(Line& line, Command& c, size_t least, size_t height, size_t width) {
        c.y = line.number("Y", 0, height - least);
        c.height = line.number("HEIGHT", least, height - c.y);
        c.x = line.number("X", 0, width - least);
        c.width = line.number("WIDTH", least, width - c.x);
    }

    static void words(Line& line, Command& c, size_t all) {
        c.first = line.number("WORD", 0, all - 1);
        c.count = line.number("WORDS", 1, all - c.first);
    }

    void spikes(const Line& line, size_t address, size_t count) const {
        if (count > memories_[kSpikes] - address)
            line.refuse("the number of words from address " + std::to_string(address), std::to_string(count),
                        "at most " + std::to_string(memories_[kSpikes] - address) + ", as the spike memory has");
    }

    const Program& program_;
    const Layer& layer_;
    size_t index_;
    const std::array<size_t, kMemories>& memories_;
    std::string path_;
    std::map<std::string, Words>& images_;
    size_t tiles_;
    Cover outputs_, map_;
};
