import CLlama

/// The metadata of a GGUF file, without its tensors.
// What it owns is only read.
@safe
struct GGUFMetadata: ~Copyable, @unchecked Sendable {
    private let pointer: OpaquePointer

    init(path: String) throws(LlamaError) {
        LlamaBackend.start()
        let (opened, reason) = unsafe LlamaBackend.collectingErrors {
            unsafe gguf_init_from_file(path, gguf_init_params(no_alloc: true, ctx: nil))
        }
        guard let opened = unsafe opened else { throw .cannotLoad(path: path, reason: reason) }
        unsafe pointer = unsafe opened
    }

    deinit {
        unsafe gguf_free(pointer)
    }

    func string(_ key: String) -> String? {
        guard let id = find(key, GGUF_TYPE_STRING), let text = unsafe gguf_get_val_str(pointer, id) else { return nil }
        return unsafe String(cString: text)
    }

    func unsigned(_ key: String) -> UInt32? {
        find(key, GGUF_TYPE_UINT32).map { unsafe gguf_get_val_u32(pointer, $0) }
    }

    func boolean(_ key: String) -> Bool? {
        find(key, GGUF_TYPE_BOOL).map { unsafe gguf_get_val_bool(pointer, $0) }
    }

    func strings(_ key: String) -> [String]? {
        guard let id = find(key, GGUF_TYPE_ARRAY), unsafe gguf_get_arr_type(pointer, id) == GGUF_TYPE_STRING
        else { return nil }
        return (0..<(unsafe gguf_get_arr_n(pointer, id))).map { index in
            unsafe gguf_get_arr_str(pointer, id, index).map { unsafe String(cString: $0) } ?? ""
        }
    }

    func integers(_ key: String) -> [Int32]? {
        guard let id = find(key, GGUF_TYPE_ARRAY), unsafe gguf_get_arr_type(pointer, id) == GGUF_TYPE_INT32,
            let data = unsafe gguf_get_arr_data(pointer, id)
        else { return nil }
        let count = unsafe gguf_get_arr_n(pointer, id)
        return (0..<count).map {
            unsafe data.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Int32>.size, as: Int32.self)
        }
    }

    private func find(_ key: String, _ type: gguf_type) -> Int64? {
        let id = unsafe gguf_find_key(pointer, key)
        guard id >= 0, unsafe gguf_get_kv_type(pointer, id) == type else { return nil }
        return id
    }
}
