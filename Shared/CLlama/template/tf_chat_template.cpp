#include "tf_chat_template.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "json.h"

#include "jinja/caps.h"
#include "jinja/lexer.h"
#include "jinja/parser.h"
#include "jinja/runtime.h"
#include "jinja/value.h"

#define TF_EXPORT __attribute__((visibility("default")))

struct tf_chat_template {
    std::string source;
    std::string bos;
    std::string eos;
    jinja::program program;
    /// Some templates can iterate over `content` only as a list of typed parts.
    bool only_typed_content = false;
    /// Others know such a list, too.
    bool takes_typed_content = false;
    /// Texts of control tokens by their first byte.
    std::vector<std::string> guarded[256];
    /// `strftime_now` goes through `localtime`, whose result is one buffer for the whole process.
    bool needs_clock = false;
};

namespace {

std::mutex clock_mutex;

std::string text_of(const uint8_t *bytes, size_t count) {
    return count == 0 ? std::string() : std::string(reinterpret_cast<const char *>(bytes), count);
}

void put_error(char *error, size_t capacity, const char *message) {
    if (capacity == 0) {
        return;
    }
    const size_t count = std::min(std::strlen(message), capacity - 1);
    std::memcpy(error, message, count);
    error[count] = 0;
}

jinja::value input_string(const uint8_t *bytes, size_t count) {
    auto value = jinja::mk_val<jinja::value_string>(text_of(bytes, count));
    value->mark_input();
    return value;
}

jinja::value content_value(const tf_chat_template &chat_template, const std::string &text) {
    auto content = jinja::mk_val<jinja::value_string>(text);
    content->mark_input();
    if (!chat_template.only_typed_content) {
        return content;
    }
    auto part = jinja::mk_val<jinja::value_object>();
    part->insert("type", jinja::mk_val<jinja::value_string>(std::string("text")));
    part->insert("text", content);
    auto parts = jinja::mk_val<jinja::value_array>();
    parts->push_back(part);
    return parts;
}

/// What is wrong with a request, in a sentence for its sender.
struct refusal : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// U+FDD0, a noncharacter, which senders may not use: breaks what looks like a control token in their JSON, and is taken
/// out of the rendered text again.
const std::string seam = "\xEF\xB7\x90";
/// U+FDD1, with a space, behind the last message's content: where the text ends that is to be continued. The space tells
/// whether the template strips content.
const std::string open_end = "\xEF\xB7\x91";
/// Recursion over a sender's JSON is no deeper than this.
const size_t deepest_json = 64;

/// Looks at the brackets alone, before anything recurses over a sender's JSON.
void check_depth(const std::string &json) {
    size_t depth = 0;
    bool is_string = false;
    for (size_t i = 0; i < json.size(); i++) {
        const char c = json[i];
        if (is_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                is_string = false;
            }
        } else if (c == '"') {
            is_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > deepest_json) {
                throw refusal("the JSON is nested deeper than " + std::to_string(deepest_json) + " levels");
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
}

common_json parse(const std::string &text, const char *what) {
    check_depth(text);
    auto json = common_json::parse_no_throw(text);
    if (json.is_discarded()) {
        throw refusal(std::string(what) + " are not JSON");
    }
    return json;
}

/// Text of a sender's JSON, with a seam in whatever looks like a control token.
std::string guarded(const tf_chat_template &chat_template, const std::string &text) {
    if (text.find(seam) != std::string::npos || text.find(open_end) != std::string::npos) {
        throw refusal("the noncharacters U+FDD0 and U+FDD1 are not served here");
    }
    std::string result;
    result.reserve(text.size());
    for (size_t i = 0; i < text.size();) {
        const auto &tokens = chat_template.guarded[static_cast<unsigned char>(text[i])];
        const bool is_token = std::any_of(tokens.begin(), tokens.end(), [&](const std::string &token) {
            return text.compare(i, token.size(), token) == 0;
        });
        // A seam goes behind the first character.
        do {
            result += text[i++];
        } while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80);
        if (is_token) {
            result += seam;
        }
    }
    return result;
}

jinja::value value_of(const tf_chat_template &chat_template, const common_json &json) {
    if (json.is_boolean()) {
        return jinja::mk_val<jinja::value_bool>(json.get<bool>());
    }
    if (json.is_number_integer()) {
        return jinja::mk_val<jinja::value_int>(json.get<int64_t>());
    }
    if (json.is_number_float()) {
        return jinja::mk_val<jinja::value_float>(json.get<double>());
    }
    if (json.is_string()) {
        auto text = jinja::mk_val<jinja::value_string>(guarded(chat_template, json.get<std::string>()));
        text->mark_input();
        return text;
    }
    if (json.is_array()) {
        auto list = jinja::mk_val<jinja::value_array>();
        for (size_t i = 0; i < json.size(); i++) {
            list->push_back(value_of(chat_template, json.at(i)));
        }
        return list;
    }
    if (json.is_object()) {
        auto object = jinja::mk_val<jinja::value_object>();
        for (const auto &[key, member] : json.items()) {
            object->insert(guarded(chat_template, key), value_of(chat_template, member));
        }
        return object;
    }
    return jinja::mk_val<jinja::value_none>();
}

/// Content as the template takes it: a text, or a list of parts. An end that is open is marked.
jinja::value content_of(const tf_chat_template &chat_template, const common_json &message, bool is_open) {
    std::vector<std::string> texts;
    bool is_list = false;
    if (message.contains("content") && !message.at("content").is_null()) {
        const auto &content = message.at("content");
        if (content.is_string()) {
            texts.push_back(guarded(chat_template, content.get<std::string>()));
        } else if (content.is_array()) {
            is_list = true;
            for (size_t i = 0; i < content.size(); i++) {
                const auto &part = content.at(i);
                if (!part.is_object() || !part.contains("text") || !part.at("text").is_string() ||
                    !part.contains("type") || !part.at("type").is_string() ||
                    part.at("type").get<std::string>() != "text") {
                    throw refusal("a part of a message's content must be of type text, with a text");
                }
                texts.push_back(guarded(chat_template, part.at("text").get<std::string>()));
            }
        } else {
            throw refusal("a message's content must be a text, a list of parts, or null");
        }
    }
    if (is_open) {
        if (texts.empty()) {
            throw refusal("the last message has no content that could be continued");
        }
        texts.back() += open_end + " ";
    }
    const auto text_value = [](const std::string &text) {
        auto value = jinja::mk_val<jinja::value_string>(text);
        value->mark_input();
        return value;
    };
    if (chat_template.only_typed_content || (is_list && chat_template.takes_typed_content)) {
        auto parts = jinja::mk_val<jinja::value_array>();
        for (const auto &text : texts) {
            auto part = jinja::mk_val<jinja::value_object>();
            part->insert("type", jinja::mk_val<jinja::value_string>(std::string("text")));
            part->insert("text", text_value(text));
            parts->push_back(part);
        }
        return parts;
    }
    std::string joined;
    for (size_t i = 0; i < texts.size(); i++) {
        joined += (i == 0 ? "" : "\n") + texts[i];
    }
    return text_value(joined);
}

jinja::value messages_of(const tf_chat_template &chat_template, const std::string &text, bool is_open) {
    const auto json = parse(text, "the messages");
    if (!json.is_array() || json.size() == 0) {
        throw refusal("the messages must be a list of at least one");
    }
    auto list = jinja::mk_val<jinja::value_array>();
    for (size_t i = 0; i < json.size(); i++) {
        const auto &message = json.at(i);
        if (!message.is_object() || !message.contains("role") || !message.at("role").is_string()) {
            throw refusal("each message must be an object with a role");
        }
        auto object = jinja::mk_val<jinja::value_object>();
        for (const auto &[key, member] : message.items()) {
            if (key != "content") {
                object->insert(guarded(chat_template, key), value_of(chat_template, member));
            }
        }
        object->insert("content", content_of(chat_template, message, is_open && i + 1 == json.size()));
        list->push_back(object);
    }
    return list;
}

/// Cuts what was rendered where the content of the last message ends, as transformers' `continue_final_message` does.
void cut_open_end(std::vector<jinja::string_part> &parts) {
    for (size_t i = parts.size(); i-- > 0;) {
        const size_t place = parts[i].val.rfind(open_end);
        if (place == std::string::npos) {
            continue;
        }
        const bool is_kept = parts[i].val.compare(place + open_end.size(), 1, " ") == 0;
        parts[i].val.resize(place);
        parts.resize(i + 1);
        while (!is_kept && !parts.empty()) {
            auto &text = parts.back().val;
            const size_t last = text.find_last_not_of(" \t\n\r\f\v");
            text.resize(last == std::string::npos ? 0 : last + 1);
            if (!text.empty()) {
                return;
            }
            parts.pop_back();
        }
        return;
    }
    throw refusal("the template does not show the last message, which is to be continued");
}

/// Gives the rendered text out, apart at the seams.
void give(const std::vector<jinja::string_part> &parts, tf_chat_segment_fn segment, void *context) {
    for (const auto &part : parts) {
        size_t start = 0;
        while (start < part.val.size()) {
            const size_t end = std::min(part.val.find(seam, start), part.val.size());
            if (end > start) {
                segment(
                    context, reinterpret_cast<const uint8_t *>(part.val.data()) + start, end - start, part.is_input);
            }
            start = end + seam.size();
        }
    }
}

/// Runs `body`, and says what went wrong in it.
template <typename Body>
int32_t reporting(char *error, size_t error_capacity, Body body) {
    try {
        body();
        return TF_CHAT_OK;
    } catch (const refusal &failure) {
        put_error(error, error_capacity, failure.what());
        return TF_CHAT_REFUSED;
    } catch (const std::exception &failure) {
        // The engine wraps what `raise_exception` throws into a report about the place in the source.
        static const char marker[] = "Jinja Exception: ";
        const char *raised = std::strstr(failure.what(), marker);
        put_error(error, error_capacity, raised ? raised + sizeof(marker) - 1 : failure.what());
        return raised ? TF_CHAT_REFUSED : TF_CHAT_FAILED;
    } catch (...) {
        put_error(error, error_capacity, "the template engine threw something unknown");
        return TF_CHAT_FAILED;
    }
}

jinja::value pairs_of(
    const tf_chat_template &chat_template, const uint8_t *text, const tf_chat_message *messages, size_t message_count,
    bool is_open) {
    auto list = jinja::mk_val<jinja::value_array>();
    for (size_t i = 0; i < message_count; i++) {
        auto message = jinja::mk_val<jinja::value_object>();
        message->insert("role", input_string(text, messages[i].role_count));
        text += messages[i].role_count;
        std::string content = text_of(text, messages[i].content_count);
        if (is_open && i + 1 == message_count) {
            content += open_end + " ";
        }
        message->insert("content", content_value(chat_template, content));
        text += messages[i].content_count;
        list->push_back(message);
    }
    return list;
}

jinja::value_string run(
    const tf_chat_template &chat_template, jinja::value list, const common_json &arguments, bool add_generation_prompt,
    int64_t now) {
    jinja::context context(chat_template.source);
    context.current_time = static_cast<std::time_t>(now);
    // What follows goes before a sender's variable of the same name.
    for (const auto &[key, member] : arguments.items()) {
        context.set_val(guarded(chat_template, key), value_of(chat_template, member));
    }
    context.set_val("messages", list);
    context.set_val("bos_token", jinja::mk_val<jinja::value_string>(chat_template.bos));
    context.set_val("eos_token", jinja::mk_val<jinja::value_string>(chat_template.eos));
    context.set_val("add_generation_prompt", jinja::mk_val<jinja::value_bool>(add_generation_prompt));

    std::unique_lock<std::mutex> lock(clock_mutex, std::defer_lock);
    if (chat_template.needs_clock) {
        lock.lock();
    }
    jinja::runtime runtime(context);
    return jinja::runtime::gather_string_parts(runtime.execute(chat_template.program));
}

}  // namespace

extern "C" TF_EXPORT tf_chat_template *tf_chat_template_compile(
    const uint8_t *source, size_t source_count, const uint8_t *bos, size_t bos_count, const uint8_t *eos,
    size_t eos_count, char *error, size_t error_capacity) {
    try {
        auto chat_template = std::make_unique<tf_chat_template>();
        jinja::lexer lexer;
        auto tokens = lexer.tokenize(text_of(source, source_count));
        chat_template->program = jinja::parse_from_tokens(tokens);
        chat_template->source = tokens.source;
        chat_template->bos = text_of(bos, bos_count);
        chat_template->eos = text_of(eos, eos_count);
        const auto caps = jinja::caps_get(chat_template->program);
        chat_template->only_typed_content = caps.supports_typed_content && !caps.supports_string_content;
        chat_template->takes_typed_content = caps.supports_typed_content;
        chat_template->needs_clock = chat_template->source.find("strftime_now") != std::string::npos;
        return chat_template.release();
    } catch (const std::exception &failure) {
        put_error(error, error_capacity, failure.what());
    } catch (...) {
        put_error(error, error_capacity, "the template engine threw something unknown");
    }
    return nullptr;
}

extern "C" TF_EXPORT void tf_chat_template_free(tf_chat_template *chat_template) {
    delete chat_template;
}

extern "C" TF_EXPORT void tf_chat_template_guard(tf_chat_template *chat_template, const uint8_t *text, size_t count) {
    if (count > 1) {
        chat_template->guarded[text[0]].push_back(text_of(text, count));
    }
}

extern "C" TF_EXPORT int32_t tf_chat_template_render(
    const tf_chat_template *chat_template, const uint8_t *text, const tf_chat_message *messages, size_t message_count,
    bool add_generation_prompt, int64_t now, tf_chat_segment_fn segment, void *context, char *error,
    size_t error_capacity) {
    return reporting(error, error_capacity, [&] {
        const auto list = pairs_of(*chat_template, text, messages, message_count, false);
        const auto parts = run(*chat_template, list, common_json::object({}), add_generation_prompt, now);
        for (const auto &part : parts->val_str.parts) {
            if (!part.val.empty()) {
                segment(context, reinterpret_cast<const uint8_t *>(part.val.data()), part.val.size(), part.is_input);
            }
        }
    });
}

extern "C" TF_EXPORT int32_t tf_chat_template_render_request(
    const tf_chat_template *chat_template, const tf_chat_request *request, tf_chat_segment_fn segment, void *context,
    char *error, size_t error_capacity) {
    return reporting(error, error_capacity, [&] {
        const bool is_open = request->continues_final_message;
        auto arguments = common_json::object({});
        if (request->arguments_count > 0) {
            arguments = parse(text_of(request->arguments, request->arguments_count), "the template's arguments");
            if (!arguments.is_object()) {
                throw refusal("the template's arguments must be an object");
            }
        }
        const auto list = request->messages
            ? pairs_of(*chat_template, request->text, request->messages, request->message_count, is_open)
            : messages_of(*chat_template, text_of(request->text, request->text_count), is_open);
        auto rendered = run(*chat_template, list, arguments, request->add_generation_prompt, request->now);
        auto &parts = rendered->val_str.parts;
        if (is_open) {
            cut_open_end(parts);
        }
        give(parts, segment, context);
    });
}
