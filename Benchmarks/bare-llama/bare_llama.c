// A bare loop over libllama: continuous batching, greedy, nothing else. What the cluster is measured against.
//
//   bare_llama --model GGUF --prompts FILE [--streams 8] [--requests N] [--max-tokens 64] [--threads 2]
//              [--context 16384] [--step-tokens 512] [--sequences 16] [--share-prefix]
//   bare_llama --trace --model GGUF --prompts FILE [--max-tokens 64] …
//
// FILE holds one user message a line; each is put through the model's own chat template. So many requests run at a
// time; when one ends, the next takes its place, its prompt computed in the same steps as the others' tokens. Prints
// JSON. --share-prefix computes what all prompts begin with only once.
//
// --trace runs each prompt alone up to the model's end of text, and prints for each token its bytes (hex), and by how
// much its logit beat the second best.
#include <llama.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tf_chat_template.h>
#include <tf_tokenize.h>
#include <time.h>

typedef struct {
    llama_token *tokens;
    int count;
} prompt_t;

typedef struct {
    const prompt_t *prompt;
    int computed;
    int generated;
    int row;
    llama_token next;
} slot_t;

typedef struct {
    char *bytes;
    size_t count, capacity;
} text_t;

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("bare_llama: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static void *need(void *pointer) {
    if (!pointer) fail("out of memory");
    return pointer;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void log_errors(enum ggml_log_level level, const char *text, void *context) {
    (void)context;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

static void append(void *context, const uint8_t *bytes, size_t count, bool from_input) {
    (void)from_input;
    text_t *text = context;
    if (text->count + count > text->capacity) {
        text->capacity = 2 * (text->count + count);
        text->bytes = need(realloc(text->bytes, text->capacity));
    }
    memcpy(text->bytes + text->count, bytes, count);
    text->count += count;
}

static const char *token_text(const struct llama_vocab *vocab, llama_token token) {
    return token == LLAMA_TOKEN_NULL ? "" : llama_vocab_get_text(vocab, token);
}

static prompt_t *read_prompts(const char *path, const struct llama_model *model, int *count) {
    const struct llama_vocab *vocab = llama_model_get_vocab(model);
    const char *source = llama_model_chat_template(model, NULL);
    if (!source) fail("the model has no chat template");
    const char *bos = token_text(vocab, llama_vocab_bos(vocab)), *eos = token_text(vocab, llama_vocab_eos(vocab));
    char error[512];
    tf_chat_template *chat = tf_chat_template_compile(
        (const uint8_t *)source, strlen(source), (const uint8_t *)bos, strlen(bos), (const uint8_t *)eos, strlen(eos),
        error, sizeof error);
    if (!chat) fail("chat template: %s", error);

    FILE *file = fopen(path, "r");
    if (!file) fail("%s cannot be read", path);
    prompt_t *prompts = NULL;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    *count = 0;
    while ((length = getline(&line, &capacity, file)) > 0) {
        if (line[length - 1] == '\n') length--;
        if (length == 0) continue;
        char *message = need(malloc((size_t)length + 4));
        memcpy(message, "user", 4);
        memcpy(message + 4, line, (size_t)length);
        text_t text = {0};
        tf_chat_message shape = {4, (size_t)length};
        if (tf_chat_template_render(
                chat, (const uint8_t *)message, &shape, 1, true, 0, append, &text, error, sizeof error) != TF_CHAT_OK)
            fail("chat template: %s", error);
        prompts = need(realloc(prompts, sizeof *prompts * (size_t)(*count + 1)));
        prompt_t *prompt = &prompts[(*count)++];
        prompt->tokens = need(malloc(sizeof(llama_token) * (text.count + 8)));
        prompt->count = tf_tokenize(
            vocab, text.bytes, (int32_t)text.count, prompt->tokens, (int32_t)text.count + 8, false, true);
        if (prompt->count <= 0) fail("line %d cannot be tokenized", *count);
        free(text.bytes);
        free(message);
    }
    free(line);
    fclose(file);
    tf_chat_template_free(chat);
    if (*count == 0) fail("%s has no prompts", path);
    return prompts;
}

static int common_prefix(const prompt_t *prompts, int count) {
    int shared = prompts[0].count - 1;
    for (int i = 1; i < count; i++) {
        int same = 0;
        while (same < shared && same < prompts[i].count - 1 && prompts[i].tokens[same] == prompts[0].tokens[same])
            same++;
        shared = same;
    }
    return shared;
}

static void add(struct llama_batch *batch, llama_token token, int position, int sequence, bool logits) {
    int i = batch->n_tokens++;
    batch->token[i] = token;
    batch->pos[i] = position;
    batch->n_seq_id[i] = 1;
    batch->seq_id[i][0] = sequence;
    batch->logits[i] = logits;
}

static void decode(struct llama_context *context, struct llama_batch batch) {
    int code = llama_decode(context, batch);
    if (code != 0) fail("llama_decode: %d", code);
}

static llama_token best_of(const float *logits, int count, float *gap) {
    int best = 0;
    for (int i = 1; i < count; i++)
        if (logits[i] > logits[best]) best = i;
    if (gap) {
        float second = -1e30f;
        for (int i = 0; i < count; i++)
            if (i != best && logits[i] > second) second = logits[i];
        *gap = logits[best] - second;
    }
    return best;
}

static void trace(
    struct llama_context *context, struct llama_batch batch, const struct llama_vocab *vocab, const prompt_t *prompts,
    int count, int max_tokens, int step_tokens) {
    int size = llama_vocab_n_tokens(vocab);
    for (int p = 0; p < count; p++) {
        llama_memory_clear(llama_get_memory(context), false);
        int position = 0;
        while (position < prompts[p].count) {
            batch.n_tokens = 0;
            // Fewer than 64 rows at once: attention then treats each row for itself, as the worker sees to.
            while (position < prompts[p].count && batch.n_tokens < step_tokens && batch.n_tokens < 63) {
                add(&batch, prompts[p].tokens[position], position, 0, position + 1 == prompts[p].count);
                position++;
            }
            decode(context, batch);
        }
        printf("[");
        for (int n = 0; n < max_tokens; n++) {
            float gap;
            llama_token token = best_of(llama_get_logits_ith(context, -1), size, &gap);
            char piece[256];
            int length = llama_vocab_is_eog(vocab, token) ? 0 : llama_token_to_piece(vocab, token, piece, 256, 0, true);
            printf("%s[\"", n ? "," : "");
            for (int i = 0; i < length; i++) printf("%02x", (unsigned char)piece[i]);
            printf("\",%.6f]", (double)gap);
            if (length <= 0) break;
            batch.n_tokens = 0;
            add(&batch, token, position++, 0, true);
            decode(context, batch);
        }
        printf("]\n");
        fflush(stdout);
    }
}

int main(int argc, char **argv) {
    const char *path = NULL, *prompt_path = NULL;
    int streams = 8, requests = 0, max_tokens = 64, threads = 2, cells = 16384, step_tokens = 512, sequences = 16;
    bool share = false, traces = false;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (!strcmp(name, "--share-prefix")) { share = true; continue; }
        if (!strcmp(name, "--trace")) { traces = true; continue; }
        if (i + 1 == argc) fail("%s needs a value", name);
        const char *value = argv[++i];
        if (!strcmp(name, "--model")) path = value;
        else if (!strcmp(name, "--prompts")) prompt_path = value;
        else if (!strcmp(name, "--streams")) streams = atoi(value);
        else if (!strcmp(name, "--requests")) requests = atoi(value);
        else if (!strcmp(name, "--max-tokens")) max_tokens = atoi(value);
        else if (!strcmp(name, "--threads")) threads = atoi(value);
        else if (!strcmp(name, "--context")) cells = atoi(value);
        else if (!strcmp(name, "--step-tokens")) step_tokens = atoi(value);
        else if (!strcmp(name, "--sequences")) sequences = atoi(value);
        else fail("no such option: %s", name);
    }
    if (!path || !prompt_path) fail("--model and --prompts are needed");
    if (streams < 1 || streams >= sequences || step_tokens < streams || max_tokens < 1)
        fail("streams must be fewer than sequences, and no more than a step's tokens");

    llama_log_set(log_errors, NULL);
    if (ggml_backend_reg_count() == 0) ggml_backend_load_all();
    llama_backend_init();
    struct llama_model *model = llama_model_load_from_file(path, llama_model_default_params());
    if (!model) fail("%s cannot be loaded", path);
    const struct llama_vocab *vocab = llama_model_get_vocab(model);
    int vocabulary = llama_vocab_n_tokens(vocab), count;
    prompt_t *prompts = read_prompts(prompt_path, model, &count);
    if (requests == 0) requests = count;

    struct llama_context_params parameters = llama_context_default_params();
    parameters.n_ctx = (uint32_t)cells;
    parameters.n_batch = parameters.n_ubatch = (uint32_t)step_tokens;
    parameters.n_seq_max = (uint32_t)sequences;
    parameters.n_threads = parameters.n_threads_batch = threads;
    parameters.kv_unified = true;
    parameters.no_perf = true;
    parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
    struct llama_context *context = llama_init_from_model(model, parameters);
    if (!context) fail("no context");
    llama_memory_t memory = llama_get_memory(context);
    struct llama_batch batch = llama_batch_init(step_tokens, 0, 1);
    if (traces) {
        trace(context, batch, vocab, prompts, count, max_tokens, step_tokens);
        return 0;
    }

    // As the worker does before it serves: the weights are in memory, the threads stand.
    add(&batch, 0, 0, 0, false);
    add(&batch, 0, 1, 0, false);
    decode(context, batch);
    llama_memory_clear(memory, false);

    slot_t *slots = need(calloc((size_t)streams, sizeof *slots));
    int shared = share ? common_prefix(prompts, count) : 0;
    long prompt_tokens = 0, tokens = 0, steps = 0;
    int begun = 0, ended = 0;
    double start = now(), decoding = 0;
    if (shared > step_tokens) shared = step_tokens;
    if (shared > 0) {
        batch.n_tokens = 0;
        for (int i = 0; i < shared; i++) add(&batch, prompts[0].tokens[i], i, streams, false);
        decode(context, batch);
    }
    while (ended < requests) {
        batch.n_tokens = 0;
        for (int s = 0; s < streams; s++) {
            slot_t *slot = &slots[s];
            if (!slot->prompt && begun < requests) {
                *slot = (slot_t){.prompt = &prompts[begun++ % count], .computed = shared};
                prompt_tokens += slot->prompt->count;
                if (shared > 0) llama_memory_seq_cp(memory, streams, s, 0, shared);
            }
            slot->row = -1;
            if (slot->prompt && slot->generated > 0) {
                slot->row = batch.n_tokens;
                add(&batch, slot->next, slot->computed++, s, true);
            }
        }
        for (int s = 0; s < streams; s++) {
            slot_t *slot = &slots[s];
            if (!slot->prompt || slot->generated > 0) continue;
            while (slot->computed < slot->prompt->count && batch.n_tokens < step_tokens) {
                bool last = slot->computed + 1 == slot->prompt->count;
                if (last) slot->row = batch.n_tokens;
                add(&batch, slot->prompt->tokens[slot->computed], slot->computed, s, last);
                slot->computed++;
            }
        }
        double before = now();
        decode(context, batch);
        decoding += now() - before;
        steps++;
        for (int s = 0; s < streams; s++) {
            slot_t *slot = &slots[s];
            if (!slot->prompt || slot->row < 0) continue;
            slot->next = best_of(llama_get_logits_ith(context, slot->row), vocabulary, NULL);
            slot->generated++;
            tokens++;
            if (slot->generated == max_tokens) {
                llama_memory_seq_rm(memory, s, -1, -1);
                memset(slot, 0, sizeof *slot);
                ended++;
            }
        }
    }
    double seconds = now() - start;
    printf(
        "{\"prompt_tokens\": %ld, \"shared_prefix\": %d, \"tokens\": %ld, \"steps\": %ld, \"seconds\": %.6f, "
        "\"decode_seconds\": %.6f, \"tokens_per_second\": %.3f}\n",
        prompt_tokens, shared, tokens, steps, seconds, decoding, (double)tokens / seconds);
    llama_batch_free(batch);
    llama_free(context);
    llama_model_free(model);
    return 0;
}
