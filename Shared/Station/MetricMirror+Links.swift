public import Line
public import Telemetry
public import Transport

extension MetricMirror {
    /// States the connections that a listening link did not let stand.
    public func refusals(_ link: String, _ refusals: ConnectionRefusals) {
        let help = "Connections that were ended or not taken, by reason."
        count("\(link)_connections_malformed", refusals.malformed, help: help)
        count("\(link)_connections_unaccepted", refusals.unaccepted, help: help)
        count("\(link)_connections_crowded", refusals.crowded, help: help)
        count("\(link)_connections_slow", refusals.slowHandshakes, help: help)
        count("\(link)_connections_unfinished", refusals.unfinished, help: help)
        count("\(link)_connections_unread", refusals.unread, help: help)
    }

    /// States the longest that one frame of each kind has held the station's thread.
    public func times(_ link: String, _ times: FrameTimes) {
        times.forEach { kind, nanoseconds in
            gauge(
                "\(link)_longest_\(kind)_seconds", Double(nanoseconds) / 1e9,
                help: "The longest that one frame of this kind has held the station's thread.")
        }
    }

    /// States a link's counters under `link`.
    /// - Parameters:
    ///   - refused: Messages that are no frame, and connections that were refused: the dispatcher does not see them.
    ///   - unsent: Frames that could not be sent.
    public func line(_ link: String, _ line: LineCounters, refused: UInt64 = 0, unsent: UInt64) {
        count("\(link)_sessions", line.sessions, help: "Sessions that began.")
        count("\(link)_sessions_ended", line.sessionsEnded, help: "Sessions that ended.")
        count("\(link)_refusals", line.refusals, help: "Hellos refused.")
        count("\(link)_stale_frames", line.staleFrames, help: "Frames of sessions that are not there.")
        count("\(link)_replayed_frames", line.replayedFrames, help: "Frames seen before.")
        count("\(link)_violations", line.violations, help: "Sessions ended because a peer broke the protocol.")
        count("\(link)_silences", line.silences, help: "Sessions ended for silence.")
        count("\(link)_hung", line.hungEngines, help: "Sessions ended because an engine made no step.")
        count("\(link)_unknown_handles", line.unknownHandles, help: "Rows or cancels without a lease.")
        count("\(link)_dispatched", line.dispatched, help: "Requests dispatched or accepted.")
        count("\(link)_lost", line.lost, help: "Leases that ended with their session.")
        count("\(link)_handed_back", line.handedBack, help: "Leases that a draining station gave back.")
        count(
            "\(link)_bad_frames", line.badFrames + refused,
            help: "Frames that did not decode, and connections that were refused.")
        count("\(link)_unsent_frames", unsent, help: "Frames that could not be sent.")
    }
}
