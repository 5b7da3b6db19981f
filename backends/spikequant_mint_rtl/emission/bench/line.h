// One line of program.txt or commands.txt, word by word; what is not as it must be is named with file and line.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

// A file is missing or damaged.
struct BadFile : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Line {
   public:
    // Words stand between blanks; a word in quotation marks may hold blanks, and \" and \\ for the two marks.
    Line(const std::string& path, size_t number, const std::string& text)
        : place_(path + ", line " + std::to_string(number)) {
        for (size_t at = 0; at < text.size();) {
            if (blank(text[at])) {
                ++at;
            } else if (text[at] == '"') {
                words_.push_back(quoted(text, at));
            } else {
                const size_t begin = at;
                while (at < text.size() && !blank(text[at])) ++at;
                words_.push_back(text.substr(begin, at - begin));
            }
        }
    }

    bool says_nothing() const { return words_.empty() || words_[0].empty() || words_[0][0] == '#'; }
    const std::string& kind() const { return words_[0]; }
    const std::string& place() const { return place_; }
    bool at_end() const { return next_ == words_.size(); }

    // The line must have as many words behind the first as the form has.
    void expect(const char* form) const {
        size_t wanted = 1;
        for (const char* at = form; *at; ++at) wanted += *at == ' ';
        if (words_.size() - 1 != wanted)
            throw BadFile(place_ + ": " + kind() + " is followed by " + std::to_string(words_.size() - 1) +
                          " words; it must be by " + std::to_string(wanted) + ": " + form);
    }

    const std::string& word() { return words_[next_++]; }

    // The next word as a whole number within bounds, `most` at the largest 2^63 - 1.
    uint64_t number(const char* what, uint64_t least, uint64_t most) {
        const std::string& text = word();
        uint64_t value = 0;
        bool good = text.size() <= 19;  // so many digits fit
        for (const char c : text) {
            good = good && c >= '0' && c <= '9';
            value = 10 * value + static_cast<uint64_t>(c - '0');
        }
        if (!good || text.empty() || value < least || value > most)
            refuse(what, text, "a whole number " + std::to_string(least) + ".." + std::to_string(most));
        return value;
    }

    [[noreturn]] void refuse(const std::string& what, const std::string& was, const std::string& must) const {
        throw BadFile(place_ + ": " + what + " is \"" + was + "\"; it must be " + must);
    }

   private:
    static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

    std::string quoted(const std::string& text, size_t& at) const {
        std::string word;
        const size_t begin = at++;
        for (; at < text.size() && text[at] != '"'; ++at) {
            if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\')) ++at;
            word += text[at];
        }
        if (at == text.size()) refuse("the name", text.substr(begin), "closed by a quotation mark");
        ++at;
        return word;
    }

    std::string place_;
    std::vector<std::string> words_;
    size_t next_ = 1;
};
