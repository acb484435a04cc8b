#ifndef TF_CHAT_TEMPLATE_H
#define TF_CHAT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled chat template (llama.cpp's Jinja engine). Immutable: any number of threads may render with one at once.
typedef struct tf_chat_template tf_chat_template;

enum {
    TF_CHAT_OK = 0,
    /// The template could not be compiled, or failed while it ran.
    TF_CHAT_FAILED = 1,
    /// The template itself refused the messages (`raise_exception`); the error text is the template's own.
    TF_CHAT_REFUSED = 2,
};

/// Lengths of one message in the text given to `tf_chat_template_render`.
typedef struct tf_chat_message {
    size_t role_count;
    size_t content_count;
} tf_chat_message;

/// Receives the rendered text piece by piece. `from_input` says that the piece stems from a message and not from the
/// template. `bytes` is valid during the call.
typedef void (*tf_chat_segment_fn)(void *context, const uint8_t *bytes, size_t count, bool from_input);

/// Compiles `source`. `bos` and `eos` are what the template finds as `bos_token` and `eos_token`.
/// NULL on failure, and `error` then holds the reason (NUL-terminated, cut to `error_capacity`).
tf_chat_template *tf_chat_template_compile(
    const uint8_t *source, size_t source_count, const uint8_t *bos, size_t bos_count, const uint8_t *eos,
    size_t eos_count, char *error, size_t error_capacity);

void tf_chat_template_free(tf_chat_template *chat_template);

/// Names the text of a control token, before the template is shared: what a sender's JSON has of it stays apart from the
/// template's own, even where a template gives it out as if it were its own (`tojson`, names of members).
void tf_chat_template_guard(tf_chat_template *chat_template, const uint8_t *text, size_t count);

/// Renders messages. `text` holds role and content of each message, one after the other, with no separators.
/// `now` is the time, in seconds since 1970, that `strftime_now` shows. `segment` is called only when the whole text
/// was rendered. Returns one of the codes above.
int32_t tf_chat_template_render(
    const tf_chat_template *chat_template, const uint8_t *text, const tf_chat_message *messages, size_t message_count,
    bool add_generation_prompt, int64_t now, tf_chat_segment_fn segment, void *context, char *error,
    size_t error_capacity);

/// What is rendered, and how.
typedef struct tf_chat_request {
    /// Role and content of each message, one after the other, with no separators; or, if `messages` is NULL, a JSON array
    /// of message objects, which the template sees as they are.
    const uint8_t *text;
    size_t text_count;
    const tf_chat_message *messages;
    size_t message_count;
    /// A JSON object whose members the template sees as variables; none if the count is 0.
    const uint8_t *arguments;
    size_t arguments_count;
    bool add_generation_prompt;
    /// The text ends with the content of the last message, which stays open.
    bool continues_final_message;
    int64_t now;
} tf_chat_request;

/// Renders a request, as `tf_chat_template_render` does messages. What is wrong with its JSON is TF_CHAT_REFUSED.
int32_t tf_chat_template_render_request(
    const tf_chat_template *chat_template, const tf_chat_request *request, tf_chat_segment_fn segment, void *context,
    char *error, size_t error_capacity);

#ifdef __cplusplus
}
#endif

#endif
