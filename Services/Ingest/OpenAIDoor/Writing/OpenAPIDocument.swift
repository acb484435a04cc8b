import Release

/// What `/openapi.json` says: the door's requests and answers in OpenAPI 3.1.
enum OpenAPIDocument {
    static let text = #"""
        {
         "openapi": "3.1.0",
         "info": {
          "title": "Token Factory",
          "version": "\#(ProductVersion.text)",
          "description": "OpenAI's completion API. docs/openai-api.md has every field."
         },
         "security": [
          {},
          {
           "key": []
          }
         ],
         "paths": {
          "/v1/chat/completions": {
           "post": {
            "operationId": "createChatCompletion",
            "summary": "Continues a conversation.",
            "parameters": [
             {
              "name": "X-Request-Id",
              "in": "header",
              "schema": {
               "type": "string",
               "maxLength": 256
              }
             },
             {
              "name": "Idempotency-Key",
              "in": "header",
              "schema": {
               "type": "string",
               "minLength": 1,
               "maxLength": 255
              }
             },
             {
              "name": "x-request-timeout-ms",
              "in": "header",
              "schema": {
               "type": "integer",
               "minimum": 1,
               "maximum": 86400000
              }
             }
            ],
            "requestBody": {
             "required": true,
             "content": {
              "application/json": {
               "schema": {
                "$ref": "#/components/schemas/ChatRequest"
               }
              }
             }
            },
            "responses": {
             "200": {
              "description": "The answer, or a stream of events.",
              "headers": {
               "x-operation-id": {
                "schema": {
                 "type": "string"
                }
               }
              },
              "content": {
               "application/json": {
                "schema": {
                 "type": "object",
                 "required": [
                  "id",
                  "object",
                  "choices",
                  "usage"
                 ]
                }
               },
               "text/event-stream": {
                "schema": {
                 "type": "string"
                }
               }
              }
             },
             "400": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "401": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "403": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "404": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "408": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "409": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "413": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "415": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "422": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "429": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "500": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "503": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "504": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             }
            }
           }
          },
          "/v1/completions": {
           "post": {
            "operationId": "createCompletion",
            "summary": "Continues one prompt or several.",
            "parameters": [
             {
              "name": "X-Request-Id",
              "in": "header",
              "schema": {
               "type": "string",
               "maxLength": 256
              }
             },
             {
              "name": "Idempotency-Key",
              "in": "header",
              "schema": {
               "type": "string",
               "minLength": 1,
               "maxLength": 255
              }
             },
             {
              "name": "x-request-timeout-ms",
              "in": "header",
              "schema": {
               "type": "integer",
               "minimum": 1,
               "maximum": 86400000
              }
             }
            ],
            "requestBody": {
             "required": true,
             "content": {
              "application/json": {
               "schema": {
                "$ref": "#/components/schemas/CompletionRequest"
               }
              }
             }
            },
            "responses": {
             "200": {
              "description": "The answer, or a stream of events.",
              "headers": {
               "x-operation-id": {
                "schema": {
                 "type": "string"
                }
               }
              },
              "content": {
               "application/json": {
                "schema": {
                 "type": "object",
                 "required": [
                  "id",
                  "object",
                  "choices",
                  "usage"
                 ]
                }
               },
               "text/event-stream": {
                "schema": {
                 "type": "string"
                }
               }
              }
             },
             "400": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "401": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "403": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "404": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "408": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "409": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "413": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "415": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "422": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "429": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "500": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "503": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "504": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             }
            }
           }
          },
          "/v1/models": {
           "get": {
            "operationId": "listModels",
            "summary": "The models that are served now.",
            "responses": {
             "200": {
              "description": "The answer.",
              "content": {
               "application/json": {}
              }
             },
             "400": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "401": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "403": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             }
            }
           }
          },
          "/v1/models/{model}": {
           "get": {
            "operationId": "retrieveModel",
            "summary": "One model.",
            "parameters": [
             {
              "name": "model",
              "in": "path",
              "required": true,
              "schema": {
               "type": "string",
               "minLength": 1
              }
             }
            ],
            "responses": {
             "200": {
              "description": "The model.",
              "content": {
               "application/json": {}
              }
             },
             "400": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "401": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "403": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "404": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             }
            }
           }
          },
          "/livez": {
           "get": {
            "operationId": "livez",
            "summary": "The process runs.",
            "responses": {
             "200": {
              "description": "The answer.",
              "content": {
               "application/json": {}
              }
             },
             "400": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             }
            }
           }
          },
          "/healthz": {
           "get": {
            "operationId": "healthz",
            "summary": "A probe through the data path.",
            "responses": {
             "200": {
              "description": "Well.",
              "content": {
               "application/json": {}
              }
             },
             "503": {
              "description": "Not, and why.",
              "content": {
               "application/json": {}
              }
             }
            }
           }
          },
          "/health": {
           "get": {
            "operationId": "health",
            "summary": "A probe through the data path.",
            "responses": {
             "200": {
              "description": "Well.",
              "content": {
               "application/json": {}
              }
             },
             "503": {
              "description": "Not, and why.",
              "content": {
               "application/json": {}
              }
             }
            }
           }
          },
          "/ping": {
           "get": {
            "operationId": "ping",
            "summary": "A probe through the data path.",
            "responses": {
             "200": {
              "description": "Well.",
              "content": {
               "application/json": {}
              }
             },
             "503": {
              "description": "Not, and why.",
              "content": {
               "application/json": {}
              }
             }
            }
           }
          },
          "/metrics": {
           "get": {
            "operationId": "metrics",
            "summary": "Prometheus' text format.",
            "responses": {
             "200": {
              "description": "The answer.",
              "content": {
               "text/plain": {}
              }
             },
             "400": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "401": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "403": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             }
            }
           }
          },
          "/version": {
           "get": {
            "operationId": "version",
            "summary": "The program's version.",
            "responses": {
             "200": {
              "description": "The answer.",
              "content": {
               "application/json": {}
              }
             },
             "400": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             }
            }
           }
          },
          "/tokenize": {
           "post": {
            "operationId": "tokenize",
            "summary": "The tokens of a text or of a conversation.",
            "parameters": [
             {
              "name": "X-Request-Id",
              "in": "header",
              "schema": {
               "type": "string",
               "maxLength": 256
              }
             },
             {
              "name": "x-request-timeout-ms",
              "in": "header",
              "schema": {
               "type": "integer",
               "minimum": 1,
               "maximum": 86400000
              }
             }
            ],
            "requestBody": {
             "required": true,
             "content": {
              "application/json": {
               "schema": {
                "$ref": "#/components/schemas/TokenizeRequest"
               }
              }
             }
            },
            "responses": {
             "200": {
              "description": "The answer.",
              "content": {
               "application/json": {
                "schema": {
                 "type": "object",
                 "required": [
                  "count",
                  "max_model_len",
                  "tokens"
                 ],
                 "properties": {
                  "count": {
                   "type": "integer"
                  },
                  "max_model_len": {
                   "type": [
                    "integer",
                    "null"
                   ]
                  },
                  "tokens": {
                   "type": "array",
                   "items": {
                    "type": "integer",
                    "minimum": 0
                   }
                  },
                  "token_strs": {
                   "type": [
                    "array",
                    "null"
                   ],
                   "items": {
                    "type": "string"
                   }
                  }
                 }
                }
               }
              }
             },
             "400": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "401": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "403": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "404": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "408": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "413": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "415": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "429": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "500": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "503": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "504": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             }
            }
           }
          },
          "/detokenize": {
           "post": {
            "operationId": "detokenize",
            "summary": "The text of tokens.",
            "parameters": [
             {
              "name": "X-Request-Id",
              "in": "header",
              "schema": {
               "type": "string",
               "maxLength": 256
              }
             },
             {
              "name": "x-request-timeout-ms",
              "in": "header",
              "schema": {
               "type": "integer",
               "minimum": 1,
               "maximum": 86400000
              }
             }
            ],
            "requestBody": {
             "required": true,
             "content": {
              "application/json": {
               "schema": {
                "$ref": "#/components/schemas/DetokenizeRequest"
               }
              }
             }
            },
            "responses": {
             "200": {
              "description": "The answer.",
              "content": {
               "application/json": {
                "schema": {
                 "type": "object",
                 "required": [
                  "prompt"
                 ],
                 "properties": {
                  "prompt": {
                   "type": "string"
                  }
                 }
                }
               }
              }
             },
             "400": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "401": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "403": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "404": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "408": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "413": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "415": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "429": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "500": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "503": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             },
             "504": {
              "description": "Why not, in OpenAI's form.",
              "content": {
               "application/json": {
                "schema": {
                 "$ref": "#/components/schemas/Error"
                }
               }
              }
             }
            }
           }
          }
         },
         "components": {
          "securitySchemes": {
           "key": {
            "type": "http",
            "scheme": "bearer"
           }
          },
          "schemas": {
           "Error": {
            "type": "object",
            "required": [
             "error"
            ],
            "properties": {
             "error": {
              "type": "object",
              "required": [
               "message",
               "type",
               "param",
               "code"
              ],
              "properties": {
               "message": {
                "type": "string"
               },
               "type": {
                "type": "string"
               },
               "param": {
                "type": [
                 "string",
                 "null"
                ]
               },
               "code": {
                "type": [
                 "string",
                 "null"
                ]
               }
              }
             }
            }
           },
           "Message": {
            "type": "object",
            "required": [
             "role",
             "content"
            ],
            "properties": {
             "role": {
              "enum": [
               "system",
               "developer",
               "user",
               "assistant"
              ]
             },
             "content": {
              "type": [
               "string",
               "array"
              ],
              "minItems": 1,
              "items": {
               "type": "object",
               "required": [
                "type",
                "text"
               ],
               "properties": {
                "type": {
                 "const": "text"
                },
                "text": {
                 "type": "string"
                }
               }
              }
             },
             "name": {
              "type": [
               "string",
               "null"
              ]
             },
             "reasoning_content": {
              "type": [
               "string",
               "null"
              ]
             }
            }
           },
           "ChatRequest": {
            "type": "object",
            "required": [
             "model",
             "messages"
            ],
            "properties": {
             "model": {
              "type": "string",
              "minLength": 1,
              "maxLength": 255
             },
             "max_tokens": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": 1
             },
             "min_tokens": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": 0
             },
             "n": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": 1,
              "maximum": 16
             },
             "temperature": {
              "type": [
               "number",
               "null"
              ],
              "minimum": 0,
              "maximum": 2
             },
             "top_p": {
              "type": [
               "number",
               "null"
              ],
              "minimum": 0,
              "maximum": 1
             },
             "min_p": {
              "type": [
               "number",
               "null"
              ],
              "minimum": 0,
              "maximum": 1
             },
             "top_k": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": -1,
              "maximum": 2147483647
             },
             "presence_penalty": {
              "type": [
               "number",
               "null"
              ],
              "minimum": -2,
              "maximum": 2
             },
             "frequency_penalty": {
              "type": [
               "number",
               "null"
              ],
              "minimum": -2,
              "maximum": 2
             },
             "repetition_penalty": {
              "type": [
               "number",
               "null"
              ],
              "exclusiveMinimum": 0,
              "maximum": 10
             },
             "seed": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": -9223372036854775808,
              "maximum": 9223372036854775807
             },
             "stop": {
              "type": [
               "string",
               "array",
               "null"
              ],
              "items": {
               "type": "string",
               "minLength": 1,
               "maxLength": 256
              },
              "minLength": 1,
              "maxLength": 256,
              "maxItems": 16
             },
             "stop_token_ids": {
              "type": [
               "array",
               "null"
              ],
              "items": {
               "type": "integer",
               "minimum": 0,
               "maximum": 4294967295
              },
              "maxItems": 128
             },
             "logit_bias": {
              "type": [
               "object",
               "null"
              ],
              "additionalProperties": {
               "type": "number",
               "minimum": -100,
               "maximum": 100
              },
              "propertyNames": {
               "pattern": "^[0-9]{1,9}$"
              },
              "maxProperties": 1024
             },
             "ignore_eos": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "stream": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "stream_options": {
              "type": [
               "object",
               "null"
              ],
              "properties": {
               "include_usage": {
                "type": [
                 "boolean",
                 "null"
                ]
               },
               "continuous_usage_stats": {
                "type": [
                 "boolean",
                 "null"
                ]
               }
              }
             },
             "priority": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": -2147483648,
              "maximum": 2147483647
             },
             "cache_salt": {
              "type": [
               "string",
               "null"
              ],
              "minLength": 1,
              "maxLength": 63
             },
             "hops": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "messages": {
              "type": "array",
              "minItems": 1,
              "maxItems": 2048,
              "items": {
               "$ref": "#/components/schemas/Message"
              }
             },
             "max_completion_tokens": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": 1
             },
             "chat_template_kwargs": {
              "type": [
               "object",
               "null"
              ]
             },
             "reasoning_effort": {
              "type": [
               "string",
               "null"
              ]
             },
             "continue_final_message": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "add_generation_prompt": {
              "type": [
               "boolean",
               "null"
              ]
             }
            }
           },
           "CompletionRequest": {
            "type": "object",
            "required": [
             "model",
             "prompt"
            ],
            "properties": {
             "model": {
              "type": "string",
              "minLength": 1,
              "maxLength": 255
             },
             "max_tokens": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": 1
             },
             "min_tokens": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": 0
             },
             "n": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": 1,
              "maximum": 16
             },
             "temperature": {
              "type": [
               "number",
               "null"
              ],
              "minimum": 0,
              "maximum": 2
             },
             "top_p": {
              "type": [
               "number",
               "null"
              ],
              "minimum": 0,
              "maximum": 1
             },
             "min_p": {
              "type": [
               "number",
               "null"
              ],
              "minimum": 0,
              "maximum": 1
             },
             "top_k": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": -1,
              "maximum": 2147483647
             },
             "presence_penalty": {
              "type": [
               "number",
               "null"
              ],
              "minimum": -2,
              "maximum": 2
             },
             "frequency_penalty": {
              "type": [
               "number",
               "null"
              ],
              "minimum": -2,
              "maximum": 2
             },
             "repetition_penalty": {
              "type": [
               "number",
               "null"
              ],
              "exclusiveMinimum": 0,
              "maximum": 10
             },
             "seed": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": -9223372036854775808,
              "maximum": 9223372036854775807
             },
             "stop": {
              "type": [
               "string",
               "array",
               "null"
              ],
              "items": {
               "type": "string",
               "minLength": 1,
               "maxLength": 256
              },
              "minLength": 1,
              "maxLength": 256,
              "maxItems": 16
             },
             "stop_token_ids": {
              "type": [
               "array",
               "null"
              ],
              "items": {
               "type": "integer",
               "minimum": 0,
               "maximum": 4294967295
              },
              "maxItems": 128
             },
             "logit_bias": {
              "type": [
               "object",
               "null"
              ],
              "additionalProperties": {
               "type": "number",
               "minimum": -100,
               "maximum": 100
              },
              "propertyNames": {
               "pattern": "^[0-9]{1,9}$"
              },
              "maxProperties": 1024
             },
             "ignore_eos": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "stream": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "stream_options": {
              "type": [
               "object",
               "null"
              ],
              "properties": {
               "include_usage": {
                "type": [
                 "boolean",
                 "null"
                ]
               },
               "continuous_usage_stats": {
                "type": [
                 "boolean",
                 "null"
                ]
               }
              }
             },
             "priority": {
              "type": [
               "integer",
               "null"
              ],
              "minimum": -2147483648,
              "maximum": 2147483647
             },
             "cache_salt": {
              "type": [
               "string",
               "null"
              ],
              "minLength": 1,
              "maxLength": 63
             },
             "hops": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "prompt": {
              "type": [
               "string",
               "array"
              ],
              "minLength": 1,
              "minItems": 1,
              "items": {
               "type": [
                "string",
                "integer",
                "array"
               ]
              }
             }
            }
           },
           "TokenizeRequest": {
            "type": "object",
            "properties": {
             "model": {
              "type": [
               "string",
               "null"
              ]
             },
             "prompt": {
              "type": [
               "string",
               "null"
              ]
             },
             "messages": {
              "type": "array",
              "minItems": 1,
              "maxItems": 2048,
              "items": {
               "$ref": "#/components/schemas/Message"
              }
             },
             "add_special_tokens": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "return_token_strs": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "add_generation_prompt": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "continue_final_message": {
              "type": [
               "boolean",
               "null"
              ]
             },
             "chat_template_kwargs": {
              "type": [
               "object",
               "null"
              ]
             }
            },
            "anyOf": [
             {
              "required": [
               "prompt"
              ],
              "properties": {
               "prompt": {
                "type": "string"
               }
              }
             },
             {
              "required": [
               "messages"
              ]
             }
            ]
           },
           "DetokenizeRequest": {
            "type": "object",
            "required": [
             "tokens"
            ],
            "properties": {
             "model": {
              "type": [
               "string",
               "null"
              ]
             },
             "tokens": {
              "type": "array",
              "items": {
               "type": "integer",
               "minimum": 0
              },
              "maxItems": 131072
             }
            }
           }
          }
         }
        }
        """#
}
