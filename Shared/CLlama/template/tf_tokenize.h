#ifndef TF_TOKENIZE_H
#define TF_TOKENIZE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct llama_vocab;

/// What `tf_tokenize` returns when libllama threw (it reports some inputs that its regular expressions cannot split
/// that way), which a C or Swift caller could not survive.
#define TF_TOKENIZE_THREW (INT32_MIN + 1)

/// `llama_tokenize`, safe for any text.
int32_t tf_tokenize(
    const struct llama_vocab *vocab, const char *text, int32_t text_count, int32_t *tokens, int32_t token_capacity,
    bool add_special, bool parse_special);

#ifdef __cplusplus
}
#endif

#endif
