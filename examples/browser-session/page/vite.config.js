import { defineConfig } from 'vite';

export default defineConfig({
  // The packages are linked, and must not bring a second React.
  resolve: { dedupe: ['react', 'react-dom'] },
  // The content security policy allows no inline files but the empty icon.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
