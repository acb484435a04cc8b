import NIOCore

/// Runs tasks on an event loop's thread, so that a request changes threads only where it leaves the door: the default
/// executor's threads would cost two wake-ups for every step of it.
final class EventLoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
