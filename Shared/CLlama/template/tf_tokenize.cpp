#include "tf_tokenize.h"

#include <llama.h>

extern "C" __attribute__((visibility("default"))) int32_t tf_tokenize(
    const struct llama_vocab *vocab, const char *text, int32_t text_count, int32_t *tokens, int32_t token_capacity,
    bool add_special, bool parse_special) {
    try {
        return llama_tokenize(vocab, text, text_count, tokens, token_capacity, add_special, parse_special);
    } catch (...) {
        return TF_TOKENIZE_THREW;
    }
}
