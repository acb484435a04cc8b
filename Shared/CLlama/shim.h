#ifndef TOKENFACTORY_CLLAMA_SHIM_H
#define TOKENFACTORY_CLLAMA_SHIM_H

// All of these are found in the prefix that scripts/setup.sh fills.
#include <ggml-backend.h>
#include <gguf.h>
#include <llama.h>
#include <tf_chat_template.h>
#include <tf_tokenize.h>

#endif
