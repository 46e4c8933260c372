/// What happens to a board beside its jobs, and what is done about it.
///
/// Detection comes first: ``KernelSigns`` reads what a kernel says of itself, ``BoardWatch`` watches a
/// board while a job runs, ``BootState`` tells whether it is still the same boot. None of them does
/// anything to a board, and none of them decides what a job's verdict is.
enum Recovery {}
