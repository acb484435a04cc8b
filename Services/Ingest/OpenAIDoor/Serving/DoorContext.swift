import Hummingbird
import NIOCore

/// What the door keeps beside a request: the connection that it came on.
struct DoorContext: InitializableFromSource {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
    }
}
