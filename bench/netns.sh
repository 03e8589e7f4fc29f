# Hosts that are network namespaces of this machine, joined by a bridge, each sending at a shaped rate. To be sourced by a
# script that has set `hosts`, `mbit` and `work` (a folder); as root, with iproute2 and Open MPI. `hosts_leave` takes
# everything down again.

host() { echo "glhost$$-$1"; }

hosts_leave() {
    local i
    for i in $(seq "$hosts"); do kill $(ip netns pids "$(host "$i")" 2>/dev/null) 2>/dev/null || true; done
    for i in $(seq "$hosts"); do ip netns del "$(host "$i")" 2>/dev/null || true; done
    ip link del "glbr$$" 2>/dev/null || true
}

# This kernel has no netem: links have a rate (tbf), no delay of their own.
hosts_make() {
    local i
    ip link add "glbr$$" type bridge
    ip link set "glbr$$" up
    for i in $(seq "$hosts"); do
        ip netns add "$(host "$i")"
        ip link add "glv$$-$i" type veth peer name eth0 netns "$(host "$i")"
        ip link set "glv$$-$i" master "glbr$$" up
        ip -n "$(host "$i")" address add "10.77.0.$i/24" dev eth0
        ip -n "$(host "$i")" link set lo up
        ip -n "$(host "$i")" link set eth0 up
        ip netns exec "$(host "$i")" tc qdisc add dev eth0 root tbf rate "${mbit}mbit" burst 64kb latency 50ms
    done
    # What takes the place of ssh: the host's address, then a command.
    cat >"$work/agent" <<AGENT
#!/bin/bash
host=\${1##*.}; shift
exec ip netns exec "glhost$$-\$host" unshare --uts bash -c "hostname host\$host; \$*"
AGENT
    chmod +x "$work/agent"
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_WAIT_POLICY=passive
}

# hosts_rate MBIT: from now on.
hosts_rate() {
    local i
    for i in $(seq "$hosts"); do
        ip netns exec "$(host "$i")" tc qdisc change dev eth0 root tbf rate "$1mbit" burst 64kb latency 50ms
    done
}

# on_hosts RANKS COMMAND...: a rank on each of the first hosts. Open MPI would bind the one rank of each host to its first
# core, which here is the same for all.
on_hosts() {
    local ranks=$1 list
    shift
    list=$(for i in $(seq "$ranks"); do printf '10.77.0.%s:1,' "$i"; done)
    ip netns exec "$(host 1)" unshare --uts bash -c 'hostname host1; exec "$@"' mpirun mpirun --host "${list%,}" \
        -n "$ranks" --bind-to none --mca plm_rsh_agent "$work/agent" --mca btl tcp,self --mca btl_tcp_if_include eth0 \
        --mca oob_tcp_if_include eth0 --mca pml ob1 ${MPIRUN_OPTIONS:-} "$@"
}
