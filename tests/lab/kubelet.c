/* Stands in for the kubelet: a process with its name and flags, which writes to the journal what the kubelet writes
 * when it starts and while nothing happens. Lines are those of a real one of 1.20, with the time and PID of now. */
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void say(const char *line)
{
	struct timeval now;
	struct tm at;
	char head[32];

	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &at);
	strftime(head, sizeof head, "I%m%d %H:%M:%S", &at);
	fprintf(stderr, "%s.%06ld %7d %s\n", head, (long)now.tv_usec, (int)getpid(), line);
}

int main(void)
{
	say("server.go:416] Version: v1.20.15-gke.13400");
	say("server.go:645] --cgroups-per-qos enabled, but --cgroup-root was not specified.  defaulting to /");
	say("container_manager_linux.go:274] container manager verified user specified cgroup-root exists: []");
	say("kubelet.go:265] Adding pod path: /etc/kubernetes/manifests");
	say("kuberuntime_manager.go:216] Container runtime containerd initialized, version: 1.4.8, apiVersion: v1alpha2");
	say("server.go:1176] Started kubelet");
	say("kubelet.go:1823] Starting kubelet main sync loop.");
	say("kubelet_node_status.go:71] Attempting to register node gke-lab-default-pool-1a2b3c4d-cos0");
	say("kubelet_node_status.go:74] Successfully registered node gke-lab-default-pool-1a2b3c4d-cos0");
	for (;;) {
		sleep(60);
		say("kubelet_getters.go:300] \"Pod status updated\" pod=\"kube-system/kube-proxy\" status=Running");
	}
}
