// tf-quantize SOURCE DESTINATION: writes the GGUF model SOURCE again with Q8_0 weights.

#include <llama.h>

#include <cstdio>

static void print_problems(ggml_log_level level, const char *text, void *) {
    if (level >= GGML_LOG_LEVEL_ERROR && level != GGML_LOG_LEVEL_CONT) {
        std::fputs(text, stderr);
    }
}

int main(int count, char **arguments) {
    if (count != 3) {
        std::fprintf(stderr, "usage: tf-quantize SOURCE DESTINATION\n");
        return 2;
    }
    llama_log_set(print_problems, nullptr);
    ggml_backend_load_all();
    llama_backend_init();
    llama_model_quantize_params parameters = llama_model_quantize_default_params();
    parameters.ftype = LLAMA_FTYPE_MOSTLY_Q8_0;
    parameters.allow_requantize = true;
    return llama_model_quantize(arguments[1], arguments[2], &parameters) == 0 ? 0 : 1;
}
