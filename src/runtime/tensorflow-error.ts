/**
 * A failure of TensorFlow's own, with its code and text: the model's, its inputs' or the machine's fault, not our refusal.
 */
import { ServingError } from '../errors.js';

export class TensorFlowError extends ServingError {}
