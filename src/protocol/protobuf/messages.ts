/**
 * The types of the messages, made from `proto/sluice/v1/messages.proto` by `deno task proto`.
 *
 * @module
 */

export type { Message, UnknownField } from "@bufbuild/protobuf";
export type { WireType } from "@bufbuild/protobuf/wire";
export type {
  AddRequest,
  AddResponse,
  AuthReply,
  AuthRequest,
  BalanceReply,
  BalanceRequest,
  ClientMessage,
  EchoMessage,
  ErrorReply,
  Event,
  EventReply,
  ServerMessage,
} from "./gen/sluice/v1/messages_pb.ts";
export { ErrorCode, EventStatus } from "./gen/sluice/v1/messages_pb.ts";
