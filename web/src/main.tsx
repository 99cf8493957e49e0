import { render } from 'preact';
import { App } from './app.tsx';
import { followPreferences } from './state/preferences.ts';
import { followClock, followView } from './state/profile-model.ts';

followPreferences();
followView();
followClock();
render(<App />, document.getElementById('app')!);
