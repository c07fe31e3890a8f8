/**
 * The addon: system calls that Node does not offer, and nothing else. Importing this loads it.
 *
 * Each function is the native one itself (no wrapper on the way), documented in binding.ts: which throw
 * (*cold*), and which return `-errno` (*hot*).
 *
 * @packageDocumentation
 */
import type { Binding } from "./binding.ts";
import { native } from "./native.ts";

export type { Binding, PeerCredentials } from "./binding.ts";
export * from "./constants.ts";
export { type TcpOptions, tcpTune } from "./tcp-options.ts";
export { type WatchOptions, watch } from "./watch.ts";

export const regionCreate: Binding["regionCreate"] = native.regionCreate;
export const regionSeal: Binding["regionSeal"] = native.regionSeal;
export const regionSeals: Binding["regionSeals"] = native.regionSeals;
export const regionBytes: Binding["regionBytes"] = native.regionBytes;
export const regionMap: Binding["regionMap"] = native.regionMap;
export const regionUnmap: Binding["regionUnmap"] = native.regionUnmap;
export const regionRelease: Binding["regionRelease"] = native.regionRelease;
export const regionPunch: Binding["regionPunch"] = native.regionPunch;
export const regionReadAt: Binding["regionReadAt"] = native.regionReadAt;
export const doorbellCreate: Binding["doorbellCreate"] = native.doorbellCreate;
export const doorbellPair: Binding["doorbellPair"] = native.doorbellPair;
export const doorbellRing: Binding["doorbellRing"] = native.doorbellRing;
export const doorbellClear: Binding["doorbellClear"] = native.doorbellClear;
export const watchChange: Binding["watchChange"] = native.watchChange;
export const watchRef: Binding["watchRef"] = native.watchRef;
export const unwatch: Binding["unwatch"] = native.unwatch;
export const eventLoopFd: Binding["eventLoopFd"] = native.eventLoopFd;
export const pollerCreate: Binding["pollerCreate"] = native.pollerCreate;
export const pollerAdd: Binding["pollerAdd"] = native.pollerAdd;
export const pollerModify: Binding["pollerModify"] = native.pollerModify;
export const pollerRemove: Binding["pollerRemove"] = native.pollerRemove;
export const pollerWait: Binding["pollerWait"] = native.pollerWait;
export const tcpListen: Binding["tcpListen"] = native.tcpListen;
export const tcpConnect: Binding["tcpConnect"] = native.tcpConnect;
export const unixListen: Binding["unixListen"] = native.unixListen;
export const unixConnect: Binding["unixConnect"] = native.unixConnect;
export const unixPair: Binding["unixPair"] = native.unixPair;
export const socketPeerCredentials: Binding["socketPeerCredentials"] = native.socketPeerCredentials;
export const socketAccept: Binding["socketAccept"] = native.socketAccept;
export const socketError: Binding["socketError"] = native.socketError;
export const socketConnected: Binding["socketConnected"] = native.socketConnected;
export const socketShutdown: Binding["socketShutdown"] = native.socketShutdown;
export const socketPort: Binding["socketPort"] = native.socketPort;
export const socketName: Binding["socketName"] = native.socketName;
export const socketPeer: Binding["socketPeer"] = native.socketPeer;
export const sendMessage: Binding["sendMessage"] = native.sendMessage;
export const receiveMessage: Binding["receiveMessage"] = native.receiveMessage;
export const socketWrite: Binding["socketWrite"] = native.socketWrite;
export const socketRead: Binding["socketRead"] = native.socketRead;
export const socketWritev: Binding["socketWritev"] = native.socketWritev;
export const socketReadv: Binding["socketReadv"] = native.socketReadv;
export const socketGather: Binding["socketGather"] = native.socketGather;
export const socketScatter: Binding["socketScatter"] = native.socketScatter;
export const descriptorLedger: Binding["descriptorLedger"] = native.descriptorLedger;
export const closeFd: Binding["closeFd"] = native.closeFd;
export const duplicateFd: Binding["duplicateFd"] = native.duplicateFd;
export const lockFile: Binding["lockFile"] = native.lockFile;
export const monotonicMicros: Binding["monotonicMicros"] = native.monotonicMicros;
export const threadCpuMicros: Binding["threadCpuMicros"] = native.threadCpuMicros;
export const processCpuMicros: Binding["processCpuMicros"] = native.processCpuMicros;
export const setAffinity: Binding["setAffinity"] = native.setAffinity;
export const threadYield: Binding["threadYield"] = native.threadYield;
export const runnableThreads: Binding["runnableThreads"] = native.runnableThreads;
export const errnoName: Binding["errnoName"] = native.errnoName;
