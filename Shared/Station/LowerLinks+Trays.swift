public import Line
import Transport
public import Wire

extension LowerLinks {
    /// Sends what waits in the tray and the window lets through; works whose last row went have ended.
    /// - Parameters:
    ///   - batch: Memory for the rows.
    ///   - frame: Memory for the frame.
    public func flush<Source>(
        _ tray: RowTray<Source>, through batch: inout Source.Batch, frame: inout FrameBuffer
    ) {
        while !tray.isEmpty, let number = side.trayToSend(on: tray.link) {
            tray.fill(&batch, sentAt: MonotonicClock.now())
            batch.tray = number
            batch.write(into: &frame, session: tray.session, version: side.version(of: tray.link))
            send(&frame, on: tray.link, session: tray.session)
            for work in tray.endedWorks { side.ended(work) }
        }
    }
}
