// SPDX-License-Identifier: GPL-2.0-only
/* The task that happens to submit a request, kept outside of the file system below. */
#include <linux/module.h>
#include <linux/sched/task.h>
#include <linux/workqueue.h>

#include "env.h"
#include "io/task.h"

const struct cred *q2_task_cred;
static struct workqueue_struct *calls;

bool q2_task_inline = true;
module_param_named(submit_inline, q2_task_inline, bool, 0644);
MODULE_PARM_DESC(submit_inline,
		 "Enter the file system below in the task that submits a request if nothing waits");

/* A call, on the stack of who waits for it. */
struct call {
	struct work_struct work;
	int (*fn)(void *arg);
	void *arg;
	int ret;
};

static void do_call(struct work_struct *work)
{
	struct call *call = container_of(work, struct call, work);

	call->ret = call->fn(call->arg);
}

int q2_task_call(int (*fn)(void *arg), void *arg)
{
	struct call call = {.fn = fn, .arg = arg};

	if (current->flags & PF_KTHREAD)
		return fn(arg);
	INIT_WORK_ONSTACK(&call.work, do_call);
	queue_work(calls, &call.work);
	flush_work(&call.work);
	destroy_work_on_stack(&call.work);
	return call.ret;
}

int q2_task_init(void)
{
	/* A call may be what frees memory: it must find a worker. */
	calls = alloc_workqueue("dm-qcow2-calls", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!calls)
		return -ENOMEM;
	q2_task_cred = prepare_kernel_cred(&init_task);
	if (q2_task_cred)
		return 0;
	destroy_workqueue(calls);
	return -ENOMEM;
}

void q2_task_exit(void)
{
	put_cred(q2_task_cred);
	destroy_workqueue(calls);
}
