#include "tf_chat_template.h"

#include <cstring>
#include <ctime>
#include <mutex>
#include <string>

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

jinja::value content_value(const tf_chat_template &chat_template, const uint8_t *bytes, size_t count) {
    jinja::value content = input_string(bytes, count);
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

jinja::value_string run(
    const tf_chat_template &chat_template, const uint8_t *text, const tf_chat_message *messages, size_t message_count,
    bool add_generation_prompt, int64_t now) {
    auto list = jinja::mk_val<jinja::value_array>();
    for (size_t i = 0; i < message_count; i++) {
        auto message = jinja::mk_val<jinja::value_object>();
        message->insert("role", input_string(text, messages[i].role_count));
        text += messages[i].role_count;
        message->insert("content", content_value(chat_template, text, messages[i].content_count));
        text += messages[i].content_count;
        list->push_back(message);
    }

    jinja::context context(chat_template.source);
    context.current_time = static_cast<std::time_t>(now);
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

extern "C" TF_EXPORT int32_t tf_chat_template_render(
    const tf_chat_template *chat_template, const uint8_t *text, const tf_chat_message *messages, size_t message_count,
    bool add_generation_prompt, int64_t now, tf_chat_segment_fn segment, void *context, char *error,
    size_t error_capacity) {
    try {
        const auto parts = run(*chat_template, text, messages, message_count, add_generation_prompt, now);
        for (const auto &part : parts->val_str.parts) {
            if (!part.val.empty()) {
                segment(context, reinterpret_cast<const uint8_t *>(part.val.data()), part.val.size(), part.is_input);
            }
        }
        return TF_CHAT_OK;
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
