import NIOCore

/// Questions about tokens: read, asked and written on another thread, since a body or an answer may be large.
extension DoorConnection {
    func askTokens(_ exchange: Exchange, _ form: TokenReader.Form, _ client: RequestGate.Client) {
        exchange.startedAt = .now()
        let bytes = exchange.body.map { Array($0.readableBytesView) } ?? []
        dropBody(exchange)
        let reader = TokenReader(form: form, isStrict: server.configuration.strictFields)
        let timeout = exchange.labels.timeoutNanoseconds
        let (backend, loop) = (server.backend, server.loop)
        let bound = NIOLoopBound((self, exchange), eventLoop: loop)
        Task {
            var ignored: [String] = []
            let result: Result<ByteBuffer, APIError>
            switch reader.result(of: bytes) {
            case .failure(let error): result = .failure(error)
            case .success(let body):
                ignored = body.ignored
                var question = body.question
                question.request.tenant = client.tenant
                question.request.timeoutNanoseconds = timeout
                switch await backend.tokens(of: question, grant: client.grant) {
                case .success(let tokens): result = .success(TokensWriter.answer(form, tokens))
                case .failure(let failure): result = .failure(APIError(failure))
                }
            }
            let names = ignored
            loop.execute {
                let (connection, exchange) = bound.value
                connection.answer(exchange, result, ignored: names)
            }
        }
    }

    private func answer(_ exchange: Exchange, _ result: Result<ByteBuffer, APIError>, ignored: [String]) {
        // The client may have left meanwhile.
        guard self.exchange === exchange else { return }
        if !ignored.isEmpty {
            exchange.ignored = ignored
            server.noteIgnored(ignored)
        }
        switch result {
        case .failure(let error): refuse(exchange, error)
        case .success(let body):
            server.metrics.count(exchange.route.label, status: 200)
            respond(exchange, status: 200, contentType: "application/json", fields: [], body)
        }
    }
}
