import NIOCore

/// Writes `/v1/models`.
enum ModelsWriter {
    static func list(_ models: [DoorModel]) -> ByteBuffer {
        var buffer = ByteBuffer(string: "{\"object\":\"list\",\"data\":[")
        for (index, model) in models.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            write(model, to: &buffer)
        }
        buffer.writeStaticString("]}")
        return buffer
    }

    static func one(_ model: DoorModel) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(model, to: &buffer)
        return buffer
    }

    private static func write(_ model: DoorModel, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(model.id)
        buffer.writeString(",\"object\":\"model\",\"created\":\(model.created),\"owned_by\":\"token-factory\"")
        if let length = model.contextLength { buffer.writeString(",\"max_model_len\":\(length)") }
        buffer.writeStaticString("}")
    }
}
