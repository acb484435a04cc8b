import Wire

extension Dispatcher {
    /// Counts every peer as heard now: their frames were left unread on purpose.
    public mutating func excuseSilence(_ now: LinkTime) {
        for index in peers.indices where peers[index].isLive {
            peers[index].lastHeard = max(peers[index].lastHeard, now)
        }
    }

    /// Lets time pass: heartbeats, silence. Call it several times per heartbeat interval.
    public mutating func tick(_ now: LinkTime) {
        let own = max(now, lastTick ?? now)
        // Time in which this process itself stood still says nothing about its peers: their frames are still unread.
        let gap = own - (lastTick ?? own)
        let pause = gap > settings.silenceLimit / 4 ? gap : 0
        lastTick = own
        for index in peers.indices where peers[index].isLive {
            peers[index].lastHeard = min(own, peers[index].lastHeard + pause)
            if own - peers[index].lastHeard > settings.silenceLimit {
                counters.silences += 1
                end(index, .timedOut, reset: true)
                continue
            }
            if own >= peers[index].heartbeatDue {
                peers[index].heartbeatDue = own + settings.heartbeatInterval
                peers[index].statedDemand = demand(for: index)
                peers[index].traysAcknowledged = peers[index].traysTaken
                queue(
                    .heartbeat(
                        Heartbeat(
                            waiting: UInt32(clamping: peers[index].statedDemand),
                            traysTaken: peers[index].traysTaken)), to: index)
            }
        }
    }
}
